"""What settling means, in plain Python: every pair in order, nothing skipped."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from tasks.dedup.settle.similarity import Hamming, Jaccard

PERMUTATIONS = 32
ROWS = 2
UNLIMITED = 1 << 30


@dataclass
class Items:
    """Shingle sets with real min-hash signatures, so that the pre-filter meets its assumption."""

    sets: list[frozenset[int]]
    bands: npt.NDArray[np.uint64]
    has_bands: npt.NDArray[np.bool_]
    signature: npt.NDArray[np.uint8]

    def similarity(self, tau: float) -> Jaccard:
        lengths = [len(s) for s in self.sets]
        flat = [np.array(sorted(s), np.uint64) for s in self.sets]
        shingles = np.concatenate([np.empty(0, np.uint64), *flat])
        offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
        return Jaccard(offsets, shingles, self.signature, tau)

    def take(self, rows: Sequence[int]) -> "Items":
        picked = np.asarray(rows, np.int64)
        sets = [self.sets[row] for row in rows]
        return Items(sets, self.bands[picked], self.has_bands[picked], self.signature[picked])


def items(sets: Sequence[frozenset[int]], n_bands: int = PERMUTATIONS // ROWS) -> Items:
    """Return items of shingle sets; shingle numbers are hashed first."""
    hashed = [frozenset(int(_hash(np.uint64(x), 0)) for x in s) for s in sets]
    minima = np.zeros((len(sets), PERMUTATIONS), np.uint64)
    for row, members in enumerate(hashed):
        if members:
            values = np.array(sorted(members), np.uint64)
            for seed in range(PERMUTATIONS):
                minima[row, seed] = _hash(values, seed + 1).min()
    keys = _hash(minima[:, 0::2] * np.uint64(3) + minima[:, 1::2], 99)[:, :n_bands]
    has_bands = np.array([bool(s) for s in sets], np.bool_)
    return Items(hashed, keys, has_bands, minima.astype(np.uint8))


def jaccard(sets: Sequence[frozenset[int]], tau: float) -> Callable[[int, int], float]:
    def compare(one: int, other: int) -> float:
        shared = len(sets[one] & sets[other])
        union = len(sets[one] | sets[other])
        value = shared / union if union else 0.0
        return value if value >= tau else -1.0

    return compare


def hamming(words: npt.NDArray[np.uint64], max_bits: int) -> Callable[[int, int], float]:
    def compare(one: int, other: int) -> float:
        pairs = zip(words[one].tolist(), words[other].tolist(), strict=True)
        bits = sum((a ^ b).bit_count() for a, b in pairs)
        return 1 - bits / 256 if bits <= max_bits else -1.0

    return compare


def compare_of(similarity: Jaccard | Hamming) -> Callable[[int, int], float]:
    if isinstance(similarity, Hamming):
        return hamming(similarity.words, similarity.max_bits)
    ends = similarity.offsets.tolist()
    flat = similarity.shingles.tolist()
    sets = [frozenset(flat[a:b]) for a, b in pairwise(ends)]
    return jaccard(sets, similarity.tau)


def settled(
    bands: npt.NDArray[np.uint64],
    has_bands: npt.NDArray[np.bool_],
    order: Sequence[int],
    compare: Callable[[int, int], float],
    leaders: int,
) -> list[tuple[int, float, int]]:
    """Return (kept_by, similarity, band) per item."""
    result = [(-1, 1.0, -1)] * len(bands)
    kept: dict[tuple[int, int], list[int]] = defaultdict(list)
    rank = {item: place for place, item in enumerate(order)}
    for item in order:
        keys = [(b, int(k)) for b, k in enumerate(bands[item])] if has_bands[item] else []
        met: dict[int, int] = {}
        for key in keys:
            for leader in kept[key][:leaders]:
                met.setdefault(leader, key[0])
        for leader in sorted(met, key=rank.__getitem__):
            value = compare(item, leader)
            if value >= 0:
                result[item] = (leader, value, met[leader])
                break
        else:
            for key in keys:
                kept[key].append(item)
    return result


def _hash(values: npt.NDArray[np.uint64] | np.uint64, seed: int) -> npt.NDArray[np.uint64]:
    with np.errstate(over="ignore"):
        x = np.asarray(values, np.uint64) + np.uint64((seed + 1) * 0x9E3779B97F4A7C15 % 2**64)
        x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return x ^ (x >> np.uint64(31))
