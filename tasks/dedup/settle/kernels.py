"""Kernels that compare items and resolve them; `similarity` and `resolve` say what they mean.

They stand in one file because the disk cache of compiled code follows the file of the kernel that
is called, and nothing that it calls; `hamming` serves other files too and never changes.  Arrays
are read-only and contiguous (`frozen`), so each kernel is compiled once, whether its input comes
from Arrow buffers or from numpy.  Nothing here checks bounds.
"""

from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from tasks.text_keys.compiled import lean

Ints = npt.NDArray[np.int64]
Numbers = npt.NDArray[np.int32]
Words = npt.NDArray[np.uint64]
Flags = npt.NDArray[np.bool_]

HASH_WORDS: Final = 4
PARITY_WORDS: Final = 8
"""512 bits for about 130 shingles of a rationale: far more than may differ at a usual threshold."""
STAYS: Final = 0
REPLAYED: Final = 1
ANEW: Final = 2
_ALL_ROOM: Final = np.float32(1e30)
_ROUNDED_UP: Final = 1.00001
_LOW_BITS: Final = np.uint64(0x7F7F7F7F7F7F7F7F)
_BYTE_ONES: Final = np.uint64(0x0101010101010101)


class Evidence(NamedTuple):
    """What pairs are compared by: `words` where it has rows, else the sets.

    `rows` is where the evidence of an item stands, negative if it was not read.
    """

    rows: Numbers
    offsets: Ints
    shingles: Words
    parity: Words
    signature: Words
    min_matches: int
    tau: float
    words: Words
    max_bits: int


class Made(NamedTuple):
    """What became of all n items, see `resolve.Settled`, and what is to be done about each."""

    kept_by: Ints
    similarity: npt.NDArray[np.float64]
    band: npt.NDArray[np.int16]
    leads: Flags
    tasks: npt.NDArray[np.int8]


def frozen(array: npt.ArrayLike, dtype: npt.DTypeLike) -> npt.NDArray[Any]:
    """Return a read-only contiguous view of `array` as `dtype`, a copy only where it must be."""
    view = np.ascontiguousarray(array, dtype=dtype).view()
    view.flags.writeable = False
    return view


class Scratch(NamedTuple):
    """What a pass writes over: where items stand, and the leaders of buckets with their sketches.

    Not one array per fact for its own sake: sketches that lie side by side are compared by vector
    instructions.
    """

    places: Numbers
    compared: Numbers
    leaders: Numbers
    is_new: Flags
    low: Words
    high: Words
    rooms: npt.NDArray[np.float32]
    counts: Numbers
    news: Numbers
    is_near: Flags


def resolve(items: Ints, numbers: Numbers, starts: Ints, evidence: Evidence, made: Made) -> int:
    """Decide about `items` in order.

    Args:
        items: int64[m], item numbers by falling priority.
        numbers: int32[n, bands], bucket of each item, negative for none.
        starts: int64[buckets + 1], room for the leaders of each bucket.
        evidence: of all items that need it.
        made: of all n items, written in place.

    Returns:
        How many items were taken: fewer than m if the next one needs evidence that was not read.
    """
    n_entries, n_buckets = int(starts[-1]), len(starts) - 1
    scratch = Scratch(
        places=np.empty(len(numbers), np.int32),
        compared=np.full(len(items), -1, np.int32),
        leaders=np.empty(n_entries, np.int32),
        is_new=np.empty(n_entries, np.bool_),
        low=np.empty(n_entries, np.uint64),
        high=np.empty(n_entries, np.uint64),
        rooms=np.empty(n_entries, np.float32),
        counts=np.zeros(n_buckets, np.int32),
        news=np.zeros(n_buckets, np.int32),
        is_near=np.empty(int(np.diff(starts).max(initial=0)), np.bool_),
    )
    taken: int = _resolve(items, numbers, starts, evidence, made, scratch)
    return taken


@lean
def _resolve(  # noqa: C901, PLR0912, PLR0915 - a call with so many arrays costs as much as a bucket
    items: Ints, numbers: Numbers, starts: Ints, evidence: Any, made: Any, scratch: Any
) -> int:
    """Take `items` in order; leaders of a bucket are places in `items`, ascending.

    An item that is replayed was compared with every leader before the one that it was dropped for,
    or with all of them, so only leaders that are new in their bucket can change what became of it.
    """
    kept_by, similarity, met_in, leads, tasks = made
    places, compared, leaders, is_new, low, high, rooms, counts, news, is_near = scratch
    for place in range(len(items)):
        item = items[place]
        places[item] = place
        own_low, own_high, size = _sketch(evidence, item)
        if tasks[item] != STAYS:
            best, is_anew = place, tasks[item] == ANEW
            keeper = kept_by[item]
            if keeper >= 0 and not is_anew:
                met_in[item] = _first_led(numbers, leads, item, keeper)
                is_anew = met_in[item] < 0
                best = place if is_anew else places[keeper]
            for band in range(numbers.shape[1]):
                bucket = numbers[item, band]
                if bucket < 0 or not (is_anew or news[bucket] > 0):
                    continue
                first, end = starts[bucket], starts[bucket] + counts[bucket]
                spare = _room(evidence, size)
                for entry in range(first, end):
                    bits = _ones(low[entry] ^ own_low) + _ones(high[entry] ^ own_high)
                    is_near[entry - first] = np.float32(bits) <= rooms[entry] + spare
                for entry in range(first, end):
                    leader = leaders[entry]
                    if leader >= best:
                        break
                    if not is_near[entry - first] or compared[leader] == place:
                        continue
                    if is_anew or is_new[entry]:
                        compared[leader] = place
                        one, other = evidence.rows[item], evidence.rows[items[leader]]
                        if one < 0 or other < 0:
                            return place
                        value = _verified(evidence, one, other)
                        if value >= 0.0:
                            best, met_in[item] = leader, band
                            kept_by[item], similarity[item] = items[leader], value
            if best == place:
                kept_by[item], similarity[item], met_in[item] = -1, 1.0, -1
        for band in range(numbers.shape[1]):
            bucket = numbers[item, band]
            if kept_by[item] >= 0:
                leads[item, band] = False
            elif bucket >= 0:
                entry = starts[bucket] + counts[bucket]
                has_room = entry < starts[bucket + 1]
                if has_room:
                    leaders[entry], rooms[entry] = place, _room(evidence, size)
                    low[entry], high[entry] = own_low, own_high
                    is_new[entry] = not leads[item, band]
                    counts[bucket] += 1
                    news[bucket] += 0 if leads[item, band] else 1
                leads[item, band] = has_room
            elif tasks[item] != STAYS:
                leads[item, band] = True
    return len(items)


@lean
def _first_led(numbers: Numbers, leads: Flags, item: int, keeper: int) -> int:
    """Return the first band in which `keeper` leads the bucket of `item`, -1 for none."""
    for band in range(numbers.shape[1]):
        if leads[keeper, band] and numbers[item, band] == numbers[keeper, band] >= 0:
            return band
    return -1


@lean
def _sketch(evidence: Any, item: int) -> tuple[np.uint64, np.uint64, int]:
    """Return 128 bits and the size of a set, -1 if it was not read."""
    row = evidence.rows[item]
    low, high = np.uint64(0), np.uint64(0)
    if row < 0:
        return low, high, -1
    if evidence.words.shape[0] > 0:
        return evidence.words[row, 0], evidence.words[row, 1], 0
    for place in range(0, PARITY_WORDS, 2):
        low ^= evidence.parity[row, place]
        high ^= evidence.parity[row, place + 1]
    return low, high, evidence.offsets[row + 1] - evidence.offsets[row]


@lean
def _room(evidence: Any, size: int) -> np.float32:
    """Return half of the bits in which the sketches of two similar items of `size` may differ.

    Sets that have `total` shingles together and are similar at `tau` differ in no more than
    `total * (1 - tau) / (1 + tau)` of them, and each of these changes one bit of a sketch.
    What was not read leaves room for everything, so that it is missed where it is needed.
    """
    if size < 0:
        return _ALL_ROOM
    if evidence.words.shape[0] > 0:
        return np.float32(0.5 * evidence.max_bits)
    share = (1.0 - evidence.tau) / (1.0 + evidence.tau)
    return np.float32(_ROUNDED_UP * share * size + 0.25)


@lean
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


@lean
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


@lean
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


@lean
def _ones(x: np.uint64) -> np.int64:
    """Return how many bits of a word are set, counted as in `hamming`."""
    x -= (x >> np.uint64(1)) & np.uint64(0x5555555555555555)
    x = (x & np.uint64(0x3333333333333333)) + ((x >> np.uint64(2)) & np.uint64(0x3333333333333333))
    x = (x + (x >> np.uint64(4))) & np.uint64(0x0F0F0F0F0F0F0F0F)
    return np.int64((x * _BYTE_ONES) >> np.uint64(56))


@lean
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


@lean
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


@lean
def _needed_overlap(total: int, tau: float) -> int:
    """Return the least overlap of two sets, `total` together, whose Jaccard is `tau` or more."""
    needed = max(int(np.ceil(tau * total / (1.0 + tau))), 1)
    while needed > 1 and (needed - 1) / (total - needed + 1) >= tau:
        needed -= 1
    while needed < total and needed / (total - needed) < tau:
        needed += 1
    return needed
