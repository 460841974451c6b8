"""What "similar enough" means: exact Jaccard of shingle sets, or exact Hamming distance.

Every decision rests on these values.  Two filters only skip pairs that are far apart.  Parities
count a bit per shingle (after the bitmap filter of arXiv:1711.07295) and lose no pair at all.
Signatures, which help where texts are so long that parities say nothing, lose next to none: a pair
whose true Jaccard is `tau` or more matches in each byte with probability `tau` or more, so the
number of matches that is asked for (`_min_matches`) loses such a pair with a probability below
`SKIP_RISK`.  Without a signature nothing is skipped.
"""

import math
from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np
import numpy.typing as npt

from tasks.dedup.settle.kernels import (
    HASH_WORDS,
    PARITY_WORDS,
    Evidence,
    frozen,
)
from tasks.dedup.settle.sets import gathered, parities

SKIP_RISK: Final = 1e-12
"""Largest chance that the signatures of a pair at `tau` hide it from the exact comparison."""

HASH_BITS: Final = 256


class Similarity(Protocol):
    """How two items are compared, with what of every item the comparison needs."""

    @property
    def rule(self) -> str:
        """Return the rule as text; part of an algorithm's name."""
        ...

    def __len__(self) -> int:
        """Return the number of items."""
        ...

    def evidence(self) -> Evidence:
        """Return the arrays for the kernels."""
        ...

    def take(self, items: npt.NDArray[np.int64]) -> "Similarity":
        """Return the similarity over `items` alone, in their order."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Jaccard:
    """Jaccard similarity of shingle sets of at least `tau`; an empty set is like nothing.

    Fields:
        offsets: int64[n + 1] into `shingles`.
        shingles: uint64, ascending and unique within a row.
        signature: uint8[n, permutations], or [n, 0] to compare without one.
        tau: in (0, 1].
    """

    offsets: npt.NDArray[np.int64]
    shingles: npt.NDArray[np.uint64]
    signature: npt.NDArray[np.uint8]
    tau: float

    def __post_init__(self) -> None:
        if not 0 < self.tau <= 1:
            msg = f"expected a Jaccard threshold in (0, 1], found {self.tau!r}"
            raise ValueError(msg)

    @staticmethod
    def rule_of(tau: float) -> str:
        """Return the rule as text, before there is anything to compare."""
        return f"jaccard>={tau!r}"

    @property
    def rule(self) -> str:
        """Return the rule as text."""
        return self.rule_of(self.tau)

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def evidence(self) -> Evidence:
        """Return the arrays for the kernels; signatures as words of eight bytes."""
        permutations = self.signature.shape[1]
        padding = -permutations % 8
        padded = np.pad(self.signature, ((0, 0), (0, padding))) if padding else self.signature
        words = np.ascontiguousarray(padded, dtype=np.uint8).view(np.uint64)
        offsets, shingles = frozen(self.offsets, np.int64), frozen(self.shingles, np.uint64)
        return Evidence(
            rows=frozen(np.arange(len(self)), np.int32),
            offsets=offsets,
            shingles=shingles,
            parity=frozen(parities(offsets, shingles), np.uint64),
            signature=frozen(words, np.uint64),
            min_matches=_min_matches(permutations, self.tau) + padding,
            tau=float(self.tau),
            words=frozen(np.empty((0, HASH_WORDS)), np.uint64),
            max_bits=0,
        )

    def take(self, items: npt.NDArray[np.int64]) -> "Jaccard":
        """Return the similarity over `items` alone, in their order."""
        lengths = np.diff(self.offsets)[items]
        offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
        shingles = gathered(
            frozen(self.offsets, np.int64), frozen(self.shingles, np.uint64),
            frozen(items, np.int64), frozen(offsets, np.int64),
        )  # fmt: skip
        return Jaccard(offsets, shingles, self.signature[items], self.tau)


@dataclass(frozen=True, slots=True, eq=False)
class Hamming:
    """Hashes of 256 bits that differ in at most `max_bits`.

    Fields:
        words: uint64[n, 4].
        max_bits: in [0, 256].
    """

    words: npt.NDArray[np.uint64]
    max_bits: int

    @property
    def rule(self) -> str:
        """Return the rule as text."""
        return f"hamming<={self.max_bits}"

    def __len__(self) -> int:
        return len(self.words)

    def evidence(self) -> Evidence:
        """Return the arrays for the kernels."""
        return Evidence(
            rows=frozen(np.arange(len(self)), np.int32),
            offsets=frozen([0], np.int64),
            shingles=frozen([], np.uint64),
            parity=frozen(np.empty((0, PARITY_WORDS)), np.uint64),
            signature=frozen(np.empty((0, 0)), np.uint64),
            min_matches=0,
            tau=0.0,
            words=frozen(self.words, np.uint64),
            max_bits=int(self.max_bits),
        )

    def take(self, items: npt.NDArray[np.int64]) -> "Hamming":
        """Return the similarity over `items` alone, in their order."""
        return Hamming(self.words[items], self.max_bits)


def _min_matches(permutations: int, tau: float) -> int:
    """Return the most matching bytes that a pair at `tau` fails to reach at `SKIP_RISK`."""
    if tau == 1.0:
        return permutations
    below = 0.0
    for matches in range(permutations):
        misses = permutations - matches
        ways = math.lgamma(permutations + 1) - math.lgamma(matches + 1) - math.lgamma(misses + 1)
        below += math.exp(ways + matches * math.log(tau) + misses * math.log(1.0 - tau))
        if below > SKIP_RISK:
            return matches
    return permutations
