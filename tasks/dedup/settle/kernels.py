"""Kernels that compare items and resolve them; `similarity` and `resolve` say what they mean.

They stand in one file because the disk cache of compiled code follows the file of the kernel that
is called, and nothing that it calls; `hamming` serves other files too and never changes.  Arrays
are read-only and contiguous (`frozen`), so each kernel is compiled once, whether its input comes
from Arrow buffers or from numpy.  Nothing here checks bounds.
"""

from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from tasks.text_keys.compiled import compiled

Ints = npt.NDArray[np.int64]
Numbers = npt.NDArray[np.int32]
Words = npt.NDArray[np.uint64]

HASH_WORDS: Final = 4
PARITY_WORDS: Final = 8
"""512 bits for about 130 shingles of a rationale: far more than may differ at a usual threshold."""
_PARITY_BITS: Final = np.uint64(64 * PARITY_WORDS - 1)
_LOW_BITS: Final = np.uint64(0x7F7F7F7F7F7F7F7F)
_BYTE_ONES: Final = np.uint64(0x0101010101010101)


class Evidence(NamedTuple):
    """What pairs are compared by: `words` where it has rows, else the sets."""

    offsets: Ints
    shingles: Words
    parity: Words
    signature: Words
    min_matches: int
    tau: float
    words: Words
    max_bits: int


def frozen(array: npt.ArrayLike, dtype: npt.DTypeLike) -> npt.NDArray[Any]:
    """Return a read-only contiguous view of `array` as `dtype`, a copy only where it must be."""
    view = np.ascontiguousarray(array, dtype=dtype).view()
    view.flags.writeable = False
    return view


@compiled
def resolve(items: Ints, numbers: Numbers, starts: Ints, evidence: Any, settled: Any) -> None:
    """Take `items` in order; leaders of a bucket are places in `items`, ascending.

    Args:
        items: int64[m], item numbers by falling priority.
        numbers: int32[n, bands], bucket of each item, negative for none.
        starts: int64[buckets + 1], room for the leaders of each bucket.
        evidence: an `Evidence`.
        settled: `kept_by`, `similarity` and `band` of all n items, written in place.
    """
    leaders = np.empty(starts[-1], np.int32)
    counts = np.zeros(len(starts) - 1, np.int32)
    compared = np.full(len(items), -1, np.int32)
    for place in range(len(items)):
        item, best = items[place], place
        for band in range(numbers.shape[1]):
            bucket = numbers[item, band]
            if bucket < 0:
                continue
            for entry in range(starts[bucket], starts[bucket] + counts[bucket]):
                leader = leaders[entry]
                if leader >= best:
                    break
                if compared[leader] != place:
                    compared[leader] = place
                    value = _verified(evidence, item, items[leader])
                    if value >= 0.0:
                        best = leader
                        settled[0][item], settled[1][item] = items[leader], value
                        settled[2][item] = band
        if best == place:
            _lead(place, numbers[item], starts, counts, leaders)


@compiled
def _lead(place: int, buckets: Numbers, starts: Ints, counts: Numbers, leaders: Numbers) -> None:
    """Add `place` to the leaders of its buckets that have room."""
    for bucket in buckets:
        if bucket >= 0 and counts[bucket] < starts[bucket + 1] - starts[bucket]:
            leaders[starts[bucket] + counts[bucket]] = place
            counts[bucket] += 1


@compiled
def _verified(evidence: Any, one: int, other: int) -> float:
    """Return the exact similarity of two rows, or -1 if it is below the threshold."""
    if evidence.words.shape[0] > 0:
        bits = hamming(evidence.words, one, other)
        return 1.0 - bits / 256.0 if bits <= evidence.max_bits else -1.0
    if not _may_overlap(evidence, one, other):
        return -1.0
    if not _may_be_similar(evidence.signature, evidence.min_matches, one, other):
        return -1.0
    return _jaccard(evidence, one, other)


@compiled
def _may_overlap(evidence: Any, one: int, other: int) -> bool:
    """Return whether the parities leave room for enough overlap; no similar pair is refused.

    A shingle of both sets changes the same bit of both, so bits that differ are at most as many as
    shingles of one set alone.
    """
    offsets, parity = evidence.offsets, evidence.parity
    total = offsets[one + 1] - offsets[one] + offsets[other + 1] - offsets[other]
    room: int = total - 2 * _needed_overlap(total, evidence.tau)
    bits = 0
    for place in range(PARITY_WORDS):
        bits += int(_ones(parity[one, place] ^ parity[other, place]))
    return bits <= room


@compiled
def parities(offsets: Ints, shingles: Words) -> Words:
    """Return uint64[n, PARITY_WORDS]: for each bit, whether an odd number of shingles has it."""
    found = np.zeros((len(offsets) - 1, PARITY_WORDS), np.uint64)
    for row in range(len(offsets) - 1):
        for place in range(offsets[row], offsets[row + 1]):
            bit = shingles[place] & _PARITY_BITS
            found[row, np.int64(bit >> np.uint64(6))] ^= np.uint64(1) << (bit & np.uint64(63))
    return found


@compiled
def hamming(words: Words, one: int, other: int) -> np.int64:
    """Return in how many bits two rows of `words` differ.

    The compiler knows this way to count, so it becomes vector instructions where a CPU has them.
    """
    bits = np.int64(0)
    for place in range(HASH_WORDS):
        x = words[one, place] ^ words[other, place]
        x -= (x >> np.uint64(1)) & np.uint64(0x5555555555555555)
        x = (x & np.uint64(0x3333333333333333)) + (
            (x >> np.uint64(2)) & np.uint64(0x3333333333333333)
        )
        x = (x + (x >> np.uint64(4))) & np.uint64(0x0F0F0F0F0F0F0F0F)
        bits += np.int64((x * _BYTE_ONES) >> np.uint64(56))
    return bits


@compiled
def _ones(x: np.uint64) -> np.int64:
    """Return how many bits of a word are set, counted as in `hamming`."""
    x -= (x >> np.uint64(1)) & np.uint64(0x5555555555555555)
    x = (x & np.uint64(0x3333333333333333)) + ((x >> np.uint64(2)) & np.uint64(0x3333333333333333))
    x = (x + (x >> np.uint64(4))) & np.uint64(0x0F0F0F0F0F0F0F0F)
    return np.int64((x * _BYTE_ONES) >> np.uint64(56))


@compiled
def _may_be_similar(signature: Words, min_matches: int, one: int, other: int) -> np.bool_ | bool:
    """Return whether enough bytes agree; equal bytes of eight are counted at once."""
    if signature.shape[1] == 0:
        return True
    matches = np.int64(0)
    for place in range(signature.shape[1]):
        x = signature[one, place] ^ signature[other, place]
        is_equal = ~(((x & _LOW_BITS) + _LOW_BITS) | x | _LOW_BITS)
        matches += np.int64(((is_equal >> np.uint64(7)) * _BYTE_ONES) >> np.uint64(56))
    return matches >= min_matches


@compiled
def _jaccard(evidence: Any, one: int, other: int) -> float:
    """Return the Jaccard similarity, or -1 as soon as it cannot reach the threshold."""
    offsets, shingles = evidence.offsets, evidence.shingles
    left, left_end = offsets[one], offsets[one + 1]
    right, right_end = offsets[other], offsets[other + 1]
    total = (left_end - left) + (right_end - right)
    needed = _needed_overlap(total, evidence.tau)
    left_misses, right_misses = left_end - left - needed, right_end - right - needed
    if left_misses < 0 or right_misses < 0:
        return -1.0
    shared = 0
    while left < left_end and right < right_end:
        x, y = shingles[left], shingles[right]
        if x == y:
            left, right, shared = left + 1, right + 1, shared + 1
        elif x < y:
            left, left_misses = left + 1, left_misses - 1
            if left_misses < 0:
                return -1.0
        else:
            right, right_misses = right + 1, right_misses - 1
            if right_misses < 0:
                return -1.0
    return shared / (total - shared) if shared >= needed else -1.0


@compiled
def _needed_overlap(total: int, tau: float) -> int:
    """Return the least overlap of two sets, `total` together, whose Jaccard is `tau` or more."""
    needed = max(int(np.ceil(tau * total / (1.0 + tau))), 1)
    while needed > 1 and (needed - 1) / (total - needed + 1) >= tau:
        needed -= 1
    while needed < total and needed / (total - needed) < tau:
        needed += 1
    return needed


@compiled
def gathered(
    offsets: Ints,
    values: Words,
    rows: Ints,
    new_offsets: Ints,
) -> Words:
    """Return the values of `rows`, row after row; `new_offsets` are where each row begins."""
    result = np.empty(new_offsets[-1], np.uint64)
    for place in range(len(rows)):
        first, target = offsets[rows[place]], new_offsets[place]
        for step in range(offsets[rows[place] + 1] - first):
            result[target + step] = values[first + step]
    return result


@compiled
def salted(bands: Words, salt: Words) -> Words:
    """Mix the sum of key and mixed salt; one round of splitmix64 each."""
    result = np.empty(bands.shape, np.uint64)
    for item in range(bands.shape[0]):
        offset = _mixed(salt[item])
        for band in range(bands.shape[1]):
            result[item, band] = _mixed(bands[item, band] + offset)
    return result


@compiled
def _mixed(value: np.uint64) -> np.uint64:
    x = value + np.uint64(0x9E3779B97F4A7C15)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))
