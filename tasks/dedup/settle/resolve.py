"""Greedy resolution: the best item of every neighbourhood stays, and only verified copies go.

Items are taken in priority order.  An item is dropped iff a *kept* item before it is among the
first `leaders` kept members of a bucket they share and is verified to be similar; `kept_by` is the
first such item in the order.  That is a function of the items and their priorities alone: the
order of rows, their partition and the number of workers cannot change it.
Time is bounded by `bands * leaders` comparisons per item, whatever the buckets look like; memory
by 4 bytes per item and band for leaders, besides what `buckets` states.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from tasks.dedup.settle import kernels
from tasks.dedup.settle.buckets import Buckets, buckets
from tasks.dedup.settle.kernels import frozen
from tasks.dedup.settle.similarity import Similarity

LEADERS: Final = 64
"""Kept members of a bucket that later members are compared with."""

KEPT: Final = -1


@dataclass(frozen=True, slots=True, eq=False)
class Settled:
    """What became of every item.

    Fields:
        kept_by: int64[n], the kept item that stands for this one, or `KEPT`.
        similarity: float64[n], exact similarity to that item; 1 for a kept item.
        band: int16[n], the first band in which the two met, or -1.
        leads: bool[n, bands], whether later items of that key are compared with it: it is kept,
            and fewer than `leaders` kept ones before it have the key.
    """

    kept_by: npt.NDArray[np.int64]
    similarity: npt.NDArray[np.float64]
    band: npt.NDArray[np.int16]
    leads: npt.NDArray[np.bool_]

    @property
    def is_kept(self) -> npt.NDArray[np.bool_]:
        """Return bool[n]."""
        is_kept: npt.NDArray[np.bool_] = self.kept_by == KEPT
        return is_kept

    def copy(self) -> "Settled":
        """Return the same, to be written."""
        return Settled(
            self.kept_by.copy(), self.similarity.copy(), self.band.copy(), self.leads.copy()
        )


def settle(
    bands: npt.NDArray[np.uint64],
    has_bands: npt.NDArray[np.bool_],
    order: npt.NDArray[np.int64],
    similarity: Similarity,
    *,
    leaders: int = LEADERS,
) -> Settled:
    """Return who is dropped for whom.

    Args:
        bands: uint64[n, bands]; two items collide where they agree in a band.
        has_bands: bool[n]; an item without bands is kept.
        order: int64[n], item numbers by falling priority, a permutation.
        similarity: over the same n items.
        leaders: kept members of a bucket that later members are compared with.

    Raises:
        ValueError: the arguments are not about the same items, or `order` is no permutation.
    """
    return settle_buckets(buckets(bands, has_bands), order, similarity, leaders=leaders)


def settle_buckets(
    found: Buckets,
    order: npt.NDArray[np.int64],
    similarity: Similarity,
    *,
    leaders: int = LEADERS,
) -> Settled:
    """Return who is dropped for whom, given the buckets of all items.

    Raises:
        ValueError: the arguments are not about the same items, or `order` is no permutation.
    """
    check_items(len(found.numbers), order, similarity)
    resolver = Resolver(found, similarity, leaders)
    resolver.resolve(order[found.shares()[order]])
    return resolver.settled


class Resolver:
    """Decisions about items, some whole components at a time."""

    def __init__(self, found: Buckets, similarity: Similarity, leaders: int) -> None:
        self._numbers = frozen(found.numbers, np.int32)
        self._starts = starts_of(found, leaders)
        self._evidence = similarity.evidence()
        self._tasks = np.full(len(found.numbers), kernels.ANEW, np.int8)
        self.settled = undecided(*found.numbers.shape)

    def resolve(self, items: npt.NDArray[np.int64]) -> None:
        """Decide about `items`: whole components, by falling priority."""
        made = made_of(self.settled, self._tasks)
        kernels.resolve(frozen(items, np.int64), self._numbers, self._starts, self._evidence, made)


def starts_of(found: Buckets, leaders: int) -> npt.NDArray[np.int64]:
    """Return int64[buckets + 1], where the leaders of each bucket have room."""
    room = np.minimum(found.sizes, leaders)
    starts: npt.NDArray[np.int64] = frozen(np.concatenate([[0], np.cumsum(room)]), np.int64)
    return starts


def undecided(n_items: int, n_bands: int) -> Settled:
    """Return what is known before a decision: everything is kept and leads."""
    return Settled(
        np.full(n_items, KEPT, np.int64),
        np.ones(n_items),
        np.full(n_items, -1, np.int16),
        np.ones((n_items, n_bands), np.bool_),
    )


def made_of(settled: Settled, tasks: npt.NDArray[np.int8]) -> kernels.Made:
    """Return the arrays of `settled` as the kernel writes them."""
    return kernels.Made(settled.kept_by, settled.similarity, settled.band, settled.leads, tasks)


def check_items(n_items: int, order: npt.NDArray[np.int64], similarity: Similarity) -> None:
    """Kernels check no bounds, so that is done here.

    Raises:
        ValueError: the arguments are not about `n_items`, or `order` is no permutation.
    """
    if not len(order) == len(similarity) == n_items:
        msg = (
            f"expected one row per item, found {n_items} rows of bands, {len(order)} of order "
            f"and {len(similarity)} to compare"
        )
        raise ValueError(msg)
    if n_items and not (np.bincount(order, minlength=n_items) == 1).all():
        msg = f"expected every item number below {n_items} once in the order"
        raise ValueError(msg)
