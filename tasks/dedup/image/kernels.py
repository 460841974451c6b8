"""Kernels of the image tiers; `leaders` and `near_views` say what they mean.

They stand in one file because the disk cache of compiled code follows the file of the kernel that
is called, and nothing that it calls.
"""

import numpy as np
import numpy.typing as npt

from tasks.text_keys.compiled import compiled

Ints = npt.NDArray[np.int64]
Numbers = npt.NDArray[np.int32]
Words = npt.NDArray[np.uint64]


@compiled
def propose(
    words: Words,
    found: tuple[Numbers, Ints],
    refuted: Ints,
    limits: Ints,
    led_by: tuple[Ints, Ints],
) -> None:
    """Let every row join the first near leader that was not refuted.

    Args:
        words: uint64[n, 4], rows in priority order.
        found: int32[n, bands], bucket of each row or -1; int64[buckets + 1], room for leaders.
        refuted: int64, ascending: row * n + leader of pairs that are not the same.
        limits: most bits, and refuted leaders after which a row is kept.
        led_by: the leader and the band of each row, written in place.
    """
    numbers, starts = found
    n_rows, n_bands = numbers.shape
    leaders = np.empty(starts[-1], np.int32)
    counts = np.zeros(len(starts) - 1, np.int32)
    seen = np.full(n_rows, -1, np.int32)
    near, near_band = np.empty(n_rows, np.int64), np.empty(n_rows, np.int64)
    for row in range(n_rows):
        count = 0
        for band in range(n_bands):
            bucket = numbers[row, band]
            if bucket < 0:
                continue
            for entry in range(starts[bucket], starts[bucket] + counts[bucket]):
                leader = leaders[entry]
                if seen[leader] != row:
                    seen[leader] = row
                    if _distance(words, row, leader) <= limits[0]:
                        near[count], near_band[count] = leader, band
                        count += 1
        chosen = _first_open(near[:count], row * n_rows, refuted, limits[1])
        if chosen >= 0:
            led_by[0][row], led_by[1][row] = near[chosen], near_band[chosen]
            continue
        for band in range(n_bands):
            bucket = numbers[row, band]
            if bucket >= 0 and counts[bucket] < starts[bucket + 1] - starts[bucket]:
                leaders[starts[bucket] + counts[bucket]] = row
                counts[bucket] += 1


@compiled
def _first_open(near: Ints, pair_base: int, refuted: Ints, looks: int) -> np.int64:
    """Return the place in `near` of the first leader that was not refuted, or -1."""
    by_priority = np.argsort(near)
    for place in by_priority[:looks]:
        pair = pair_base + near[place]
        at = np.searchsorted(refuted, pair)
        if at == len(refuted) or refuted[at] != pair:
            return np.int64(place)
    return np.int64(-1)


@compiled
def _distance(words: Words, one: int, other: int) -> np.int64:
    bits = np.int64(0)
    for place in range(words.shape[1]):
        bits += _ones(words[one, place] ^ words[other, place])
    return bits


@compiled
def probe_views(wholes: Words, views: Words, entries: Ints, starts: Ints, about: Ints) -> Ints:
    """Return int64[found, 4] for one chunk: row seen, row asking, view, bits.

    Args:
        wholes: uint64[n].
        views: uint64[n * views per row].
        entries: int64, places in `views`, sorted by the chunk's value.
        starts: int64[65537], where each value begins in `entries`.
        about: chunk, most bits, views per row.
    """
    chunk, max_bits, n_views = about
    found, count = np.empty((1024, 4), np.int64), 0
    for query in range(len(wholes)):
        key = np.int64((wholes[query] >> np.uint64(16 * chunk)) & np.uint64(0xFFFF))
        for flip in range(17):
            probe = key if flip == 16 else key ^ (1 << flip)  # noqa: PLR2004 - bits of a chunk
            for place in range(starts[probe], starts[probe + 1]):
                entry = entries[place]
                seen = entry // n_views
                bits = _ones(wholes[query] ^ views[entry])
                if seen == query or bits > max_bits:
                    continue
                if count == len(found):
                    found = np.concatenate((found, np.empty_like(found)))
                found[count, 0], found[count, 1] = seen, query
                found[count, 2], found[count, 3] = entry % n_views, bits
                count += 1
    return found[:count]


@compiled
def near_wholes(wholes: Words, max_bits: int) -> Ints:
    """Return int64[found, 3]: row, an earlier row, and bits between them, of all near pairs.

    Every pair is looked at, a third of a nanosecond each: no index finds what is 16 of 64 bits off.
    """
    found, count = np.empty((1024, 3), np.int64), 0
    bits = np.empty(len(wholes), np.uint8)
    for row in range(len(wholes)):
        for other in range(row):
            bits[other] = np.uint8(_ones(wholes[row] ^ wholes[other]))
        for other in range(row):
            if bits[other] <= max_bits:
                if count == len(found):
                    found = np.concatenate((found, np.empty_like(found)))
                found[count, 0], found[count, 1], found[count, 2] = row, other, bits[other]
                count += 1
    return found[:count]


@compiled
def _ones(word: np.uint64) -> np.int64:
    """Return how many bits are set."""
    x = word - ((word >> np.uint64(1)) & np.uint64(0x5555555555555555))
    x = (x & np.uint64(0x3333333333333333)) + ((x >> np.uint64(2)) & np.uint64(0x3333333333333333))
    x = (x + (x >> np.uint64(4))) & np.uint64(0x0F0F0F0F0F0F0F0F)
    return np.int64((x * np.uint64(0x0101010101010101)) >> np.uint64(56))
