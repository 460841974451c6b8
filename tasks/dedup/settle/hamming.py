"""Neighbours among 256-bit hashes: bands for `settle`, and a self-join that returns pairs.

A hash is cut into 16 chunks of 16 bits and two hashes meet where a chunk agrees (multi-index
hashing, arXiv:1307.2982).  Up to 15 flipped bits always leave a chunk intact; of pairs at 20 bits
0.06 % are missed and at 24 bits 0.86 %, if the flipped bits lie anywhere (hypergeometric).
A chunk is a diagonal of the hash seen as 16 x 16 bits, so that every chunk has bits of every
frequency: the rows of a DCT hash are anything but equally informative.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from tasks.dedup.settle.buckets import buckets
from tasks.dedup.settle.kernels import HASH_WORDS, Ints, Numbers, Words, frozen, hamming
from tasks.text_keys.compiled import compiled

MAX_BITS: Final = 24
"""Largest distance for which the chunks find 99 % of all pairs."""

HAMMING_LEADERS: Final = 4096
"""`leaders` for `settle`: a chunk has only 65,536 values, so strangers share buckets (15 in a
million hashes), and a comparison takes but nanoseconds."""

CHUNKS: Final = 16


@dataclass(frozen=True, slots=True, eq=False)
class Pairs:
    """Pairs of rows, each once, ordered by `one` and then `other`.

    Fields:
        one: int64[pairs], the earlier row.
        other: int64[pairs], the later row.
        bits: int64[pairs], distance.
    """

    one: npt.NDArray[np.int64]
    other: npt.NDArray[np.int64]
    bits: npt.NDArray[np.int64]


def hamming_bands(words: npt.NDArray[np.uint64], max_bits: int) -> npt.NDArray[np.uint64]:
    """Return band keys for hashes that differ in at most `max_bits`: uint64[n, CHUNKS].

    Args:
        words: uint64[n, 4].
        max_bits: at most `MAX_BITS`.

    Raises:
        ValueError: the chunks would miss too many pairs at `max_bits`, or the hash is no 256 bits.
    """
    if not 0 <= max_bits <= MAX_BITS or words.ndim != 2 or words.shape[1] != HASH_WORDS:  # noqa: PLR2004
        msg = (
            f"expected hashes uint64[n, {HASH_WORDS}] and 0 <= max_bits <= {MAX_BITS}, "
            f"found {words.shape} and {max_bits!r}"
        )
        raise ValueError(msg)
    keys: npt.NDArray[np.uint64] = _chunks(frozen(words, np.uint64), frozen(_masks(), np.uint64))
    return keys


def hamming_join(
    words: npt.NDArray[np.uint64], max_bits: int, *, limit: int = HAMMING_LEADERS
) -> Pairs:
    """Return all pairs of rows that share a chunk and differ in at most `max_bits`.

    Of rows with equal hashes only the first has pairs with other hashes; each further one has a
    single pair, with that first row.

    Args:
        words: uint64[n, 4].
        max_bits: at most `MAX_BITS`.
        limit: different hashes of a bucket that one hash is compared with, the nearest before it;
            it bounds the time where all hashes are alike.
    """
    keys = hamming_bands(words, max_bits)
    frozen_words = frozen(words, np.uint64)
    first = _first_equal(frozen_words)
    is_first = first == np.arange(len(words))
    found = buckets(keys, is_first)
    numbers, sizes = frozen(found.numbers, np.int32), frozen(found.sizes, np.int64)
    joined = _join(frozen_words, numbers, sizes, frozen(_masks(), np.uint64), max_bits, limit)
    again = np.flatnonzero(~is_first)
    one, other = np.concatenate([joined[:2], [first[again], again]], axis=1)
    bits = np.concatenate([joined[2], np.zeros(len(again), np.int64)])
    order = np.lexsort((other, one))
    return Pairs(one[order], other[order], bits[order])


def _masks() -> npt.NDArray[np.uint64]:
    """Return uint64[CHUNKS, 4]: the bits of each word in each chunk; no two words overlap."""
    masks = [[0] * HASH_WORDS for _ in range(CHUNKS)]
    for chunk in range(CHUNKS):
        for row in range(16):
            masks[chunk][row // 4] |= 1 << (16 * (row % 4) + (chunk + row) % 16)
    return np.array(masks, np.uint64)


@compiled
def _chunks(words: Words, masks: Words) -> Words:
    keys = np.zeros((words.shape[0], masks.shape[0]), np.uint64)
    for row in range(words.shape[0]):
        for chunk in range(masks.shape[0]):
            for word in range(HASH_WORDS):
                keys[row, chunk] |= words[row, word] & masks[chunk, word]
    return keys


@compiled
def _first_equal(words: Words) -> Ints:
    """Return for each row the first row with the same hash."""
    size = 4
    while size < 2 * len(words):
        size *= 2
    table = np.full(size, -1, np.int64)
    first = np.empty(len(words), np.int64)
    for row in range(len(words)):
        mixed = np.uint64(0)
        for word in range(HASH_WORDS):
            mixed = (mixed ^ words[row, word]) * np.uint64(0x9E3779B97F4A7C15)
            mixed ^= mixed >> np.uint64(32)
        slot = np.int64(mixed & np.uint64(size - 1))
        while table[slot] >= 0 and hamming(words, table[slot], row) > 0:
            slot = (slot + 1) & (size - 1)
        if table[slot] < 0:
            table[slot] = row
        first[row] = table[slot]
    return first


@compiled
def _join(
    words: Words, numbers: Numbers, sizes: Ints, masks: Words, max_bits: int, limit: int
) -> Ints:
    """Return int64[3, pairs]: one, other and bits, each pair in the first chunk it shares."""
    pairs, count = np.empty((3, 1024), np.int64), 0
    ends = np.cumsum(sizes)
    filled = ends - sizes
    members = np.empty(sizes.sum(), np.int32)
    _fill(numbers, filled, members)
    near = np.empty((0 if len(sizes) == 0 else sizes.max(), words.shape[1]), np.uint64)
    for bucket in range(len(sizes)):
        first = ends[bucket] - sizes[bucket]
        _gather(words, members[first : ends[bucket]], near)
        for place in range(1, sizes[bucket]):
            other = members[first + place]
            before = _next_near(near, max(0, place - limit), place, max_bits)
            while before < place:
                one = members[first + before]
                if numbers[one, _first_shared(words, masks, one, other)] == bucket:
                    if count == pairs.shape[1]:
                        pairs = np.concatenate((pairs, np.empty_like(pairs)), axis=1)
                    pairs[0, count], pairs[1, count] = one, other
                    pairs[2, count] = hamming(words, one, other)
                    count += 1
                before = _next_near(near, before + 1, place, max_bits)
    return pairs[:, :count]


@compiled
def _gather(words: Words, rows: Numbers, near: Words) -> None:
    """Copy the hashes of `rows` together; all at once, since each is a miss of the cache."""
    for place in range(len(rows)):
        for word in range(HASH_WORDS):
            near[place, word] = words[rows[place], word]


@compiled
def _next_near(near: Words, first: int, place: int, max_bits: int) -> int:
    """Return the first row from `first` on that is near row `place`, or `place`."""
    for before in range(first, place):
        if hamming(near, before, place) <= max_bits:
            return before
    return place


@compiled
def _fill(numbers: Numbers, filled: Ints, members: Numbers) -> None:
    """Write the rows of each bucket, ascending, from where `filled` says; one band at a time."""
    for band in range(numbers.shape[1]):
        for row in range(numbers.shape[0]):
            bucket = numbers[row, band]
            if bucket >= 0:
                members[filled[bucket]] = row
                filled[bucket] += 1


@compiled
def _first_shared(words: Words, masks: Words, one: int, other: int) -> int:
    """Return the first chunk in which two rows that share one agree."""
    for chunk in range(masks.shape[0]):
        differing = np.uint64(0)
        for word in range(HASH_WORDS):
            differing |= (words[one, word] ^ words[other, word]) & masks[chunk, word]
        if differing == 0:
            return chunk
    return 0
