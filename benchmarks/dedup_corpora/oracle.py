"""The exact answer: every pair of texts with Jaccard >= tau, and what a greedy keeper drops.

Shingles are word 5-grams as numbers that stand for the *strings* themselves, not for hashes, of a
plain Python tokeniser; the join is a prefix filter over an inverted index (AllPairs, Bayardo et
al., WWW 2007), which loses nothing.  It shares no code with the product.  A text of fewer than five
words is one shingle; one without words is nobody's duplicate.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
from numba import njit

from benchmarks.dedup_corpora.words import shingles_of

Ints = npt.NDArray[np.int64]

EPSILON: Final = 1e-9


@dataclass(frozen=True, slots=True)
class Shingled:
    """Texts as sets: `shingles[offsets[i]:offsets[i + 1]]` is text i, sorted, the rarest first."""

    offsets: Ints
    shingles: Ints
    distinct: int

    def jaccard(self, left: Ints, right: Ints) -> npt.NDArray[np.float64]:
        """Return the exact similarity of the pairs (left[i], right[i])."""
        found: npt.NDArray[np.float64] = _jaccard(self.offsets, self.shingles, left, right)
        return found

    def __len__(self) -> int:
        return len(self.offsets) - 1


@dataclass(frozen=True, slots=True)
class Pairs:
    """Every pair with `similarity` >= tau; left < right."""

    left: Ints
    right: Ints
    similarity: npt.NDArray[np.float64]


def shingled(texts: Sequence[str]) -> Shingled:
    """Return the texts as sets of numbers, ascending from the rarest shingle."""
    numbers: dict[str, int] = {}
    flat: list[int] = []
    offsets = [0]
    for text in texts:
        flat += {numbers.setdefault(s, len(numbers)) for s in shingles_of(text)}
        offsets.append(len(flat))
    found = np.asarray(flat, dtype=np.int64)
    frequency = np.bincount(found, minlength=len(numbers))
    rank = np.empty(len(numbers), dtype=np.int64)
    rank[np.argsort(frequency, kind="stable")] = np.arange(len(numbers))
    ranked, ends = rank[found], np.asarray(offsets, dtype=np.int64)
    rows = np.repeat(np.arange(len(offsets) - 1), np.diff(ends))
    return Shingled(ends, ranked[np.lexsort((ranked, rows))], len(numbers))


def similar_pairs(texts: Shingled, tau: float) -> Pairs:
    """Return every pair of texts with Jaccard >= tau."""
    bounds = np.zeros(texts.distinct + 1, dtype=np.int64)
    _count_prefixes(texts.offsets, texts.shingles, tau, bounds)
    starts = np.concatenate(([0], np.cumsum(bounds[:-1])))
    capacity = 4 * len(texts) + 1024
    while True:
        left, right = np.empty((2, capacity), dtype=np.int64)
        similarity = np.empty(capacity, dtype=np.float64)
        found = _join(texts.offsets, texts.shingles, tau, starts, left, right, similarity)
        if found <= capacity:
            return Pairs(left[:found], right[:found], similarity[:found])
        capacity = found


def greedy(count: int, pairs: Pairs) -> Ints:
    """Return for each text the first kept one it is similar to, -1 where it is kept itself.

    Row order is the priority.
    """
    order = np.lexsort((pairs.left, pairs.right))
    kept_by = np.full(count, -1, dtype=np.int64)
    for left, right in zip(pairs.left[order].tolist(), pairs.right[order].tolist(), strict=True):
        if kept_by[right] < 0 and kept_by[left] < 0:
            kept_by[right] = left
    return kept_by


@njit(cache=True)
def _prefix(size: int, tau: float) -> int:
    return size - int(np.ceil(tau * size - EPSILON)) + 1 if size else 0


@njit(cache=True)
def _count_prefixes(offsets: Ints, shingles: Ints, tau: float, counts: Ints) -> None:
    for row in range(len(offsets) - 1):
        for place in range(_prefix(offsets[row + 1] - offsets[row], tau)):
            counts[shingles[offsets[row] + place]] += 1


@njit(cache=True)
def _overlap(offsets: Ints, shingles: Ints, left: int, right: int) -> int:
    i, j, both = offsets[left], offsets[right], 0
    while i < offsets[left + 1] and j < offsets[right + 1]:
        if shingles[i] == shingles[j]:
            both += 1
            i += 1
            j += 1
        elif shingles[i] < shingles[j]:
            i += 1
        else:
            j += 1
    return both


@njit(cache=True)
def _similarity(offsets: Ints, shingles: Ints, left: int, right: int) -> float:
    both = _overlap(offsets, shingles, left, right)
    either = offsets[left + 1] - offsets[left] + offsets[right + 1] - offsets[right] - both
    return both / either if either else 0.0


@njit(cache=True)
def _jaccard(offsets: Ints, shingles: Ints, left: Ints, right: Ints) -> npt.NDArray[np.float64]:
    found = np.empty(len(left), dtype=np.float64)
    for pair in range(len(left)):
        found[pair] = _similarity(offsets, shingles, left[pair], right[pair])
    return found


@njit(cache=True)
def _join(  # noqa: PLR0913, PLR0917 - one loop nest of a kernel
    offsets: Ints,
    shingles: Ints,
    tau: float,
    starts: Ints,
    left: Ints,
    right: Ints,
    similarity: npt.NDArray[np.float64],
) -> int:
    """Fill the pairs as far as they fit and return how many there are."""
    index = np.empty(starts[-1], dtype=np.int64)
    ends = starts[:-1].copy()
    seen_by = np.full(len(offsets) - 1, -1, dtype=np.int64)
    found = 0
    for row in range(len(offsets) - 1):
        size = offsets[row + 1] - offsets[row]
        for place in range(_prefix(size, tau)):
            shingle = shingles[offsets[row] + place]
            for entry in range(starts[shingle], ends[shingle]):
                other = index[entry]
                if seen_by[other] == row:
                    continue
                seen_by[other] = row
                other_size = offsets[other + 1] - offsets[other]
                if min(size, other_size) < tau * max(size, other_size) - EPSILON:
                    continue
                score = _similarity(offsets, shingles, other, row)
                if score < tau - EPSILON:
                    continue
                if found < len(left):
                    left[found], right[found], similarity[found] = other, row, score
                found += 1
            index[ends[shingle]] = row
            ends[shingle] += 1
    return found
