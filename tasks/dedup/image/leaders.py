"""Who stands for whom among pHashes, where the hash alone may not decide.

The rule is that of `tasks.dedup.settle`: images are taken in priority order and one joins the
first *kept* image that is near enough and, for charts and documents, is confirmed to say the same.
Confirming needs pixels, so it is done in rounds: everybody joins the first near image that was not
refuted yet, the new pairs are looked at together, and what was refuted is skipped next time.  When
a round brings no new pair, every join is confirmed and every skipped leader was refuted, which is
what looking at each pair in turn would have given.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from tasks.dedup.image.kernels import Ints, Words, propose
from tasks.dedup.settle.buckets import buckets
from tasks.dedup.settle.hamming import HAMMING_LEADERS, hamming_bands
from tasks.dedup.settle.kernels import frozen

Confirm = Callable[[Ints, Ints], npt.NDArray[np.bool_]]
"""Given members and their leaders, returns which pairs say the same; a pure function of a pair."""

KEPT: Final = -1


@dataclass(frozen=True, slots=True, eq=False)
class Led:
    """What became of every image.

    Fields:
        kept_by: int64[n], the kept row that stands for this one, or `KEPT`.
        band: int64[n], a band both share, or -1.
        n_looked_at: pairs whose pixels were compared.
    """

    kept_by: Ints
    band: Ints
    n_looked_at: int


@dataclass(frozen=True, slots=True)
class Nearness:
    """When an image may join another.

    Fields:
        max_bits: most bits of 256 that differ.
        looks: refuted leaders after which an image is kept; it bounds the work where thousands
            of different pictures are drawn from one template.
    """

    max_bits: int
    looks: int


def led(
    words: Words,
    has_hash: npt.NDArray[np.bool_],
    trusts_hash: npt.NDArray[np.bool_],
    near: Nearness,
    confirm: Confirm,
) -> Led:
    """Return who stands for whom; rows come in priority order.

    Args:
        words: uint64[n, 4].
        has_hash: bool[n]; a row without hash is kept.
        trusts_hash: bool[n]; two rows that both do need no look at their pixels.
        near: limits.
        confirm: looks at the pairs that do.
    """
    n_rows = len(words)
    found = buckets(hamming_bands(words, near.max_bits), has_hash)
    room = np.minimum(found.sizes, HAMMING_LEADERS)
    starts = frozen(np.concatenate([[0], np.cumsum(room)]), np.int64)
    numbers = frozen(found.numbers, np.int32)
    refuted, confirmed = np.empty(0, np.int64), np.empty(0, np.int64)
    while True:
        kept_by, band = np.full(n_rows, KEPT, np.int64), np.full(n_rows, -1, np.int64)
        limits = np.array([near.max_bits, near.looks])
        open_to = frozen(refuted, np.int64)
        propose(frozen(words, np.uint64), (numbers, starts), open_to, limits, (kept_by, band))
        member = np.flatnonzero(kept_by != KEPT)
        member = member[~(trusts_hash[member] & trusts_hash[kept_by[member]])]
        pair = member * n_rows + kept_by[member]
        is_new = ~np.isin(pair, confirmed)
        member, pair = member[is_new], pair[is_new]
        if not len(member):
            return Led(kept_by, band, len(refuted) + len(confirmed))
        is_same = confirm(member, kept_by[member])
        confirmed = np.concatenate([confirmed, pair[is_same]])
        refuted = np.union1d(refuted, pair[~is_same])
