"""Membership of 64-bit hashes in a fixed set, and distances of perceptual hashes: two kernels.

The set is an open-addressed table behind a bitmap that fits the processor's cache: nearly every
gram of a clean text ends at the bitmap, so a scan costs little more than making the grams.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from tasks.text_keys.compiled import compiled

Hashes = npt.NDArray[np.uint64]
Numbers = npt.NDArray[np.int64]

BITS_PER_KEY: Final = 16
"""Bits of the bitmap per key: 1 of 16 foreign grams goes on to the table."""

_ONE: Final = np.uint64(1)
_SIX: Final = np.uint64(6)
_LOW: Final = np.uint64(63)
_M1: Final = np.uint64(0x5555555555555555)
_M2: Final = np.uint64(0x3333333333333333)
_M4: Final = np.uint64(0x0F0F0F0F0F0F0F0F)
_SUM: Final = np.uint64(0x0101010101010101)


@dataclass(frozen=True, slots=True)
class HashSet:
    """Unique well-mixed hashes that can be looked up.

    Attributes:
        keys: (k,) uint64, unique.
        slots: (s,) int64, number of the key in each slot, -1 for none; s is a power of two.
        bitmap: uint64 words; a power of two of them.
    """

    keys: Hashes
    slots: Numbers
    bitmap: Hashes

    @classmethod
    def of(cls, keys: Hashes) -> "HashSet":
        """Return the set of unique `keys`."""
        n_slots = 1 << max(4, int(2 * len(keys)).bit_length())
        n_words = max(1, (1 << (BITS_PER_KEY * len(keys)).bit_length()) >> 6)
        slots = np.full(n_slots, -1, dtype=np.int64)
        bitmap = np.zeros(n_words, dtype=np.uint64)
        _fill(keys, slots, bitmap)
        return cls(keys, slots, bitmap)

    def find(self, hashes: Hashes) -> Numbers:
        """Return the number of every hash in `keys`, -1 where it is not among them."""
        found: Numbers = _find(hashes, self.keys, self.slots, self.bitmap)
        return found


@dataclass(frozen=True, slots=True)
class Pairs:
    """Pictures that are near: numbers on both sides, and differing bits; ordered by `ours`."""

    ours: Numbers
    theirs: Numbers
    bits: Numbers


def near_pairs(ours: Hashes, theirs: Hashes, max_bits: int) -> Pairs:
    """Return every pair of (n, 4) and (m, 4) hashes that differ in at most `max_bits` bits."""
    counts = _count_near(ours, theirs, max_bits)
    found = np.empty((3, int(counts.sum())), dtype=np.int64)
    if found.shape[1]:
        _list_near(ours, theirs, max_bits, found)
    return Pairs(found[0], found[1], found[2])


@compiled
def _fill(keys: Hashes, slots: Numbers, bitmap: Hashes) -> None:
    slot_mask = np.uint64(len(slots) - 1)
    word_mask = np.uint64(len(bitmap) - 1)
    for number in range(len(keys)):
        key = keys[number]
        bitmap[(key >> _SIX) & word_mask] |= _ONE << (key & _LOW)
        slot = key & slot_mask
        while slots[slot] >= 0:
            slot = (slot + _ONE) & slot_mask
        slots[slot] = number


@compiled
def _find(hashes: Hashes, keys: Hashes, slots: Numbers, bitmap: Hashes) -> Numbers:
    slot_mask = np.uint64(len(slots) - 1)
    word_mask = np.uint64(len(bitmap) - 1)
    found = np.full(len(hashes), -1, dtype=np.int64)
    for place in range(len(hashes)):
        value = hashes[place]
        if not (bitmap[(value >> _SIX) & word_mask] >> (value & _LOW)) & _ONE:
            continue
        slot = value & slot_mask
        while slots[slot] >= 0:
            if keys[slots[slot]] == value:
                found[place] = slots[slot]
                break
            slot = (slot + _ONE) & slot_mask
    return found


@compiled
def _differing(left: Hashes, right: Hashes, max_bits: int) -> np.int64:
    """Return differing bits of two (4,) hashes; some number above `max_bits` if there are more."""
    bits = np.int64(0)
    for word in range(4):
        value = left[word] ^ right[word]
        value -= (value >> _ONE) & _M1
        value = (value & _M2) + ((value >> np.uint64(2)) & _M2)
        value = (value + (value >> np.uint64(4))) & _M4
        bits += np.int64((value * _SUM) >> np.uint64(56))
        if bits > max_bits:
            break
    return bits


@compiled
def _count_near(ours: Hashes, theirs: Hashes, max_bits: int) -> Numbers:
    counts = np.zeros(len(ours), dtype=np.int64)
    for i in range(len(ours)):
        for j in range(len(theirs)):
            if _differing(ours[i], theirs[j], max_bits) <= max_bits:
                counts[i] += 1
    return counts


@compiled
def _list_near(ours: Hashes, theirs: Hashes, max_bits: int, found: Numbers) -> None:
    place = 0
    for i in range(len(ours)):
        for j in range(len(theirs)):
            bits = _differing(ours[i], theirs[j], max_bits)
            if bits <= max_bits:
                found[0, place], found[1, place], found[2, place] = i, j, bits
                place += 1
