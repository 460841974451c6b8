"""A settlement that is remembered, so that the next one decides again only what may differ.

An item is as it was if the digest of everything it is compared by is, and its priority; any other
item is new.  What is old may be decided otherwise only if it shares a bucket with an item before it
that is new or was itself decided otherwise, or if what it was dropped for is gone.  Such items are
*replayed* (`kernels.resolve`): compared with what is new among the leaders of their buckets, and
with nothing that they were compared with before.  Nothing depends on how the items came to be as
they are: the result equals a settlement of the current items from nothing, row by row.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final, Protocol

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from tasks.dedup.settle.neighbourhood import Items, Neighbourhood
from tasks.dedup.settle.replay import ANEW, REPLAYED, STAYS, Tasks, decided
from tasks.dedup.settle.resolve import KEPT, LEADERS, Settled, undecided
from tasks.dedup.settle.similarity import Similarity

Read = Callable[[pa.Array], Similarity]
"""Returns the similarity over the items with these ids, in their order."""

MOST_CHANGED: Final = 0.5
"""Share of items beyond which settling from nothing is no more work."""

ROUNDS: Final = 8
"""How often what was decided otherwise may open items behind it, before all is settled anew."""

_GONE: Final = -2


@dataclass(frozen=True, slots=True, eq=False)
class Remembered:
    """A settlement of n items and what it rests on.

    Fields:
        rule: of the similarity that verified, such as "jaccard>=0.8".
        leaders: kept members of a bucket that later members were compared with.
        digests: uint64[n], of an item's id and of all that it is compared by.
        priority: int64[n], lower goes first.
        settled: what became of the items.
    """

    rule: str
    leaders: int
    digests: npt.NDArray[np.uint64]
    priority: npt.NDArray[np.int64]
    settled: Settled


class Memory(Protocol):
    """Where the last settlement by a rule is kept."""

    def load(self) -> Remembered | None:
        """Return the last settlement; None if there is none that can be used."""
        ...

    def save(self, state: Remembered) -> None:
        """Keep `state` instead of the last one, if that can be done."""
        ...


class NoMemory:
    """Every settlement is made from nothing."""

    def load(self) -> None:
        """Return nothing."""

    def save(self, state: Remembered) -> None:
        """Forget it."""


def nothing_remembered(rule: str, leaders: int = LEADERS) -> Remembered:
    """Return what is known before the first item."""
    none = np.empty(0, np.int64)
    return Remembered(rule, leaders, none.view(np.uint64), none, undecided(0, 0))


def settled_now(before: Remembered, now: Items, read: Read) -> Remembered:
    """Return the settlement of the items as they are now.

    Args:
        before: any earlier settlement by the same rule.
        now: all items.
        read: of items that share a bucket and may be decided otherwise than before.

    Raises:
        ValueError: `read` compares by another rule than `before`.
    """
    old = _old_rows(before, now)
    n_gone = len(before.digests) - int((old >= 0).sum())
    share = (n_gone + int((old < 0).sum())) / max(len(now), 1)
    is_alike = before.settled.leads.shape[1] == now.bands.shape[1]
    if not is_alike or share > MOST_CHANGED or _has_crowds(before, old):
        tasks = np.full(len(now), ANEW, np.int8)
        known = undecided(*now.bands.shape)
    else:
        known, tasks = _known(before, now, old)

    def checked(ids: pa.Array) -> Similarity:
        found = read(ids)
        if found.rule != before.rule or len(found) != len(ids):
            msg = (
                f"expected {len(ids)} items compared by {before.rule!r}, "
                f"found {len(found)} by {found.rule!r}"
            )
            raise ValueError(msg)
        return found

    settled = _settled(now, known, tasks, (checked, before.leaders))
    return replace(before, digests=now.digests, priority=now.priority, settled=settled)


def _settled(now: Items, known: Settled, tasks: Tasks, how: tuple[Read, int]) -> Settled:
    """Return the settlement, given what is known of items that are not to be decided anew.

    Each round decides the open items; who was decided otherwise opens those behind it, unless they
    were open in the same round and so have seen it.
    """
    near = Neighbourhood.of(now, tasks != STAYS)
    opened = near.opened(tasks == ANEW, tasks, REPLAYED)
    if not np.array_equal(opened, tasks):
        tasks, near = opened, Neighbourhood.of(now, opened != STAYS)
    settled, was_open = known, np.zeros(len(now), np.bool_)
    for _ in range(ROUNDS):
        before, settled = settled, decided(near, (settled, known.leads), tasks, how)
        was_open |= tasks != STAYS
        has_moved = (settled.leads != before.leads).any(axis=1)
        further = near.opened(has_moved, tasks, np.where(was_open, ANEW, REPLAYED))
        tasks = np.where(tasks == STAYS, further, STAYS).astype(np.int8)
        if not tasks.any():
            return settled
        near = Neighbourhood.of(now, tasks != STAYS)
    tasks, nothing = np.full(len(now), ANEW, np.int8), undecided(*now.bands.shape)
    return decided(Neighbourhood.of(now, tasks != STAYS), (nothing, nothing.leads), tasks, how)


def _old_rows(before: Remembered, now: Items) -> npt.NDArray[np.int64]:
    """Return int64[n]: which old row an item has that is as it was, -1 for a new item."""
    rows = np.full(len(now), -1, np.int64)
    _, new, old = np.intersect1d(now.digests, before.digests, return_indices=True)
    is_same = before.priority[old] == now.priority[new]
    rows[new[is_same]] = old[is_same]
    return rows


def _has_crowds(before: Remembered, old: npt.NDArray[np.int64]) -> bool:
    """Return whether a leader is gone and might have kept another item from leading.

    Its keys went with it, so it is not known in which bucket another one takes its place.
    """
    leads, is_kept = before.settled.leads, before.settled.is_kept
    is_gone = np.ones(len(leads), np.bool_)
    is_gone[old[old >= 0]] = False
    return bool((is_gone & is_kept).any() and not leads[is_kept].all())


def _known(before: Remembered, now: Items, old: npt.NDArray[np.int64]) -> tuple[Settled, Tasks]:
    """Return what was decided about items that are as they were, and what is to be decided."""
    is_old, rows = old >= 0, old[old >= 0]
    known = undecided(*now.bands.shape)
    known.leads[~is_old & now.has_bands] = False
    place = np.append(np.full(len(before.digests), _GONE, np.int64), KEPT)
    place[rows] = np.flatnonzero(is_old)
    known.kept_by[is_old] = place[before.settled.kept_by[rows]]  # KEPT is the last place
    known.similarity[is_old] = before.settled.similarity[rows]
    known.band[is_old] = before.settled.band[rows]
    known.leads[is_old] = before.settled.leads[rows]
    is_bereft = known.kept_by == _GONE
    known.kept_by[is_bereft] = KEPT
    return known, np.where(is_bereft | ~is_old, ANEW, STAYS).astype(np.int8)
