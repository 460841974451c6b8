"""Buckets: which items share a band key, numbered densely, band by band.

Most keys occur once.  A filter of two bits per slot finds those in one pass without a sort; what
is left is numbered by an open hash table.  A bucket is a (band, key) of two or more items.
Memory on top of the input: 4 bytes per item and band for the numbers, and per item about 2 bytes
of filter and up to 36 bytes of table, both shared by all bands.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from tasks.dedup.settle.kernels import frozen
from tasks.text_keys.compiled import compiled

NO_BUCKET: Final = -1
_SLOTS_PER_ITEM: Final = 8
_GOLDEN: Final = np.uint64(0x9E3779B97F4A7C15)


@dataclass(frozen=True, slots=True, eq=False)
class Buckets:
    """Who shares which bucket.

    Fields:
        numbers: int32[n, bands], the item's bucket in each band, or `NO_BUCKET` if the item is
            alone there.
        sizes: int64[buckets], items of each bucket, two or more.
    """

    numbers: npt.NDArray[np.int32]
    sizes: npt.NDArray[np.int64]

    def shares(self) -> npt.NDArray[np.bool_]:
        """Return bool[n]: whether the item is in any bucket."""
        shares: npt.NDArray[np.bool_] = _shares(frozen(self.numbers, np.int32))
        return shares


def buckets(bands: npt.NDArray[np.uint64], has_bands: npt.NDArray[np.bool_]) -> Buckets:
    """Return the buckets of all items.

    Args:
        bands: uint64[n, bands].
        has_bands: bool[n]; false for items that collide with nothing.

    Raises:
        ValueError: there is not one row of each per item.
    """
    n_items, n_bands = bands.shape
    if has_bands.shape != (n_items,):
        msg = f"expected has_bands of {n_items} items, found {has_bands.shape}"
        raise ValueError(msg)
    numbers = np.full((n_items, n_bands), NO_BUCKET, np.int32)
    bits = max(_SLOTS_PER_ITEM * n_items, 8).bit_length()
    is_banded = frozen(has_bands, np.bool_)
    items, keys = np.empty(n_items, np.int64), np.empty(n_items, np.uint64)
    count = 0
    for band in range(n_bands):
        column = frozen(bands[:, band], np.uint64)
        found = _repeated(column, is_banded, np.zeros(1 << (bits - 2), np.uint8), items, keys)
        count = _number((items, keys, found), numbers, band, count)
    sizes = _sizes(frozen(numbers, np.int32), count)
    return Buckets(numbers, sizes)


@compiled
def _slot(key: np.uint64, size: int) -> np.int64:
    """Return a slot below `size`, a power of two."""
    x = (key ^ (key >> np.uint64(32))) * _GOLDEN
    return np.int64((x ^ (x >> np.uint64(29))) & np.uint64(size - 1))


@compiled
def _repeated(
    keys: npt.NDArray[np.uint64],
    is_banded: npt.NDArray[np.bool_],
    seen: npt.NDArray[np.uint8],
    found_items: npt.NDArray[np.int64],
    found_keys: npt.NDArray[np.uint64],
) -> int:
    """Write every item whose key may occur twice; return how many these are.

    `seen` has four slots per byte: none, one or more items fell into the slot.
    """
    n_slots = 4 * len(seen)
    for item in range(len(keys)):
        if is_banded[item]:
            slot = _slot(keys[item], n_slots)
            shift = 2 * (slot & 3)
            state = (seen[slot >> 2] >> shift) & 3
            if state < 2:  # noqa: PLR2004 - twice
                seen[slot >> 2] = np.uint8(seen[slot >> 2] + (1 << shift))
    found = 0
    for item in range(len(keys)):
        if is_banded[item]:
            slot = _slot(keys[item], n_slots)
            if (seen[slot >> 2] >> (2 * (slot & 3))) & 3 == 2:  # noqa: PLR2004 - twice
                found_items[found], found_keys[found] = item, keys[item]
                found += 1
    return found


@compiled
def _number(
    candidates: tuple[npt.NDArray[np.int64], npt.NDArray[np.uint64], int],
    numbers: npt.NDArray[np.int32],
    band: int,
    next_number: int,
) -> int:
    """Number keys that occur twice, from `next_number` on; return the next free number."""
    items, keys, found = candidates
    size = 4
    while size < 2 * found:
        size *= 2
    table = np.full((size, 2), -1, np.int32)  # first place of the key, its number
    for place in range(found):
        slot = _slot(keys[place], size)
        while table[slot, 0] >= 0 and keys[table[slot, 0]] != keys[place]:
            slot = (slot + 1) & (size - 1)
        if table[slot, 0] < 0:
            table[slot, 0] = place
            continue
        if table[slot, 1] < 0:
            table[slot, 1] = next_number
            numbers[items[table[slot, 0]], band] = next_number
            next_number += 1
        numbers[items[place], band] = table[slot, 1]
    return next_number


@compiled
def _sizes(numbers: npt.NDArray[np.int32], count: int) -> npt.NDArray[np.int64]:
    sizes = np.zeros(count, np.int64)
    for item in range(numbers.shape[0]):
        for band in range(numbers.shape[1]):
            if numbers[item, band] >= 0:
                sizes[numbers[item, band]] += 1
    return sizes


@compiled
def _shares(numbers: npt.NDArray[np.int32]) -> npt.NDArray[np.bool_]:
    shares = np.zeros(numbers.shape[0], np.bool_)
    for item in range(numbers.shape[0]):
        for band in range(numbers.shape[1]):
            shares[item] |= numbers[item, band] >= 0
    return shares
