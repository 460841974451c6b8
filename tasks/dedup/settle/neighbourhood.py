"""Who is near the items that may be decided otherwise: the members of their buckets.

Keys of open items make a small filter for each band, and one look at every key finds who may share
one: a few nanoseconds per item and band, without a sort or an index over all items.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from tasks.dedup.settle.buckets import Buckets, buckets
from tasks.dedup.settle.kernels import STAYS, Flags, Ints, Numbers, Words, frozen
from tasks.dedup.settle.order import priority_order
from tasks.text_keys.compiled import compiled

_BITS_PER_KEY: Final = 16
_GOLDEN: Final = np.uint64(0x9E3779B97F4A7C15)


@dataclass(frozen=True, slots=True, eq=False)
class Items:
    """n items as they are now.

    Fields:
        item_ids: text[n], unique.
        priority: int64[n], lower goes first.
        bands: uint64[n, bands].
        has_bands: bool[n]; false for items that collide with nothing.
        digests: uint64[n], of id, bands and all else that an item is compared by.
    """

    item_ids: pa.Array
    priority: npt.NDArray[np.int64]
    bands: npt.NDArray[np.uint64]
    has_bands: npt.NDArray[np.bool_]
    digests: npt.NDArray[np.uint64]

    def __len__(self) -> int:
        return len(self.priority)

    @property
    def keys(self) -> tuple[Words, Flags]:
        """Return `bands` and `has_bands` for the kernels."""
        return frozen(self.bands, np.uint64), frozen(self.has_bands, np.bool_)


@dataclass(frozen=True, slots=True, eq=False)
class Neighbourhood:
    """Open items that share a bucket, and all that share one with them.

    Fields:
        items: int64[m], their numbers, by falling priority.
        item_ids: text[m].
        found: buckets that hold an open item, with all members; rows as in `items`.
    """

    items: npt.NDArray[np.int64]
    item_ids: pa.Array
    found: Buckets

    @classmethod
    def of(cls, now: Items, is_open: npt.NDArray[np.bool_]) -> "Neighbourhood":
        """Return the neighbourhood of the items of `now` that are open: bool[n]."""
        if is_open.all():
            found = buckets(now.bands, now.has_bands)
            items, numbers = np.arange(len(now)), found.numbers
        else:
            items = np.flatnonzero(_near(*now.keys, frozen(is_open, np.bool_)))
            found = buckets(now.bands[items], np.ones(len(items), np.bool_))
            open_rows = frozen(is_open[items], np.bool_)
            numbers = _of_open(frozen(found.numbers, np.int32), open_rows, len(found.sizes))
        is_in = (numbers >= 0).any(axis=1)
        items, numbers = items[is_in], numbers[is_in]
        ids = now.item_ids.take(pa.array(items))
        order = priority_order(now.priority[items], ids)
        return cls(items[order], ids.take(pa.array(order)), Buckets(numbers[order], found.sizes))

    def opened(
        self, has_moved: npt.NDArray[np.bool_], tasks: npt.NDArray[np.int8], task: npt.ArrayLike
    ) -> npt.NDArray[np.int8]:
        """Return `tasks` with members of buckets that stand behind an item that moved opened.

        Args:
            has_moved: bool[n], items that are new or were decided otherwise.
            tasks: int8[n], see `replay`; only what stays is opened.
            task: of those that are opened: int8, or int8[n].
        """
        numbers, moved = (
            frozen(self.found.numbers, np.int32),
            frozen(has_moved[self.items], np.bool_),
        )
        is_behind = np.zeros(len(tasks), np.bool_)
        is_behind[self.items[_behind(numbers, moved, len(self.found.sizes))]] = True
        return np.where(is_behind & (tasks == STAYS), task, tasks).astype(np.int8)


@compiled
def _near(bands: Words, has_bands: Flags, is_open: Flags) -> Flags:
    """Return which items are open or may share a key with one that is."""
    found = is_open & has_bands
    n_slots = 64
    while n_slots < _BITS_PER_KEY * found.sum():
        n_slots *= 2
    mask = np.uint64(n_slots - 1)
    for band in range(bands.shape[1]):
        seen = np.zeros(n_slots // 8, np.uint8)
        for item in range(len(bands)):
            if is_open[item] and has_bands[item]:
                slot = _slot(bands[item, band], mask)
                seen[slot >> 3] |= np.uint8(1 << (slot & 7))
        for item in range(len(bands)):
            if has_bands[item]:
                slot = _slot(bands[item, band], mask)
                found[item] |= (seen[slot >> 3] >> (slot & 7)) & 1 == 1
    return found


@compiled
def _slot(key: np.uint64, mask: np.uint64) -> np.int64:
    x = (key ^ (key >> np.uint64(32))) * _GOLDEN
    return np.int64((x >> np.uint64(24)) & mask)


@compiled
def _of_open(numbers: Numbers, is_open: Flags, n_buckets: int) -> Numbers:
    """Return the numbers of buckets that hold an open item, -1 for others."""
    is_needed = np.zeros(n_buckets, np.bool_)
    for item in range(len(numbers)):
        for band in range(numbers.shape[1]):
            if is_open[item] and numbers[item, band] >= 0:
                is_needed[numbers[item, band]] = True
    found = np.full(numbers.shape, -1, np.int32)
    for item in range(len(numbers)):
        for band in range(numbers.shape[1]):
            if numbers[item, band] >= 0 and is_needed[numbers[item, band]]:
                found[item, band] = numbers[item, band]
    return found


@compiled
def _behind(numbers: Numbers, has_moved: Flags, n_buckets: int) -> Ints:
    """Return the rows that share a bucket with a row before them that moved."""
    is_stirred = np.zeros(n_buckets, np.bool_)
    found = np.empty(len(numbers), np.int64)
    n = 0
    for row in range(len(numbers)):
        is_behind = False
        for band in range(numbers.shape[1]):
            bucket = numbers[row, band]
            if bucket >= 0:
                is_behind |= is_stirred[bucket]
                is_stirred[bucket] |= has_moved[row]
        if is_behind:
            found[n] = row
            n += 1
    return found[:n]
