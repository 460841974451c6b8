"""Counts of pairs whose order or verdict changes, by noise level, kind of pair and margin."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

from tasks.depth_audit.params import MARGIN_EDGES
from tasks.depth_audit.scores import Measure, Pairs, Score

Reals = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

KINDS = (Pairs.DECIDED, Pairs.AMBIGUOUS)
_EDGES = np.asarray(MARGIN_EDGES)


@dataclass(frozen=True, slots=True)
class Orders:
    """How n objects stand to each other at L levels of noise.

    Attributes:
        medians: (L, n) nearness.
        lead: (L, n, n) by how much the first is nearer.
        decides: (L, n, n) whether the rule says so.
    """

    medians: Reals
    lead: Reals
    decides: Mask


@dataclass(slots=True)
class FlipCounts:
    """Sums that add up over draws, pictures and parts.

    Attributes:
        levels: standard deviations of the noise.
        pairs: (levels, kinds, bins) pairs seen.
        flipped: of them, those whose order turned; a tie before has no order and counts half.
        reversed: of them, those that the rule decides the other way.
        lost: of them, decided ones that the rule leaves open.
        shift: (levels,) sum of squared changes of medians.
        medians: how many medians that sum is over, per level.
    """

    levels: tuple[float, ...]
    pairs: Reals
    flipped: Reals
    reversed: Reals
    lost: Reals
    shift: Reals
    medians: int = 0

    @classmethod
    def none(cls, levels: Sequence[float]) -> Self:
        """Return counts of nothing."""
        shape = (len(levels), len(KINDS), len(MARGIN_EDGES) - 1)
        pairs, flipped, other_way, lost = (np.zeros(shape) for _ in range(4))
        return cls(tuple(levels), pairs, flipped, other_way, lost, np.zeros(len(levels)))

    @classmethod
    def between(cls, levels: Sequence[float], before: Orders, after: Orders, known: Mask) -> Self:
        """Return what changed.

        Args:
            levels: L standard deviations.
            before: without noise, L = 1.
            after: with noise.
            known: (n, n) pairs to look at, each once.
        """
        counts = cls.none(levels)
        lead, decided = before.lead[0][known], (before.decides | _turned(before.decides))[0][known]
        cells = np.where(decided, 0, len(MARGIN_EDGES) - 1) + _bins(np.abs(lead))
        later = after.lead[:, known]
        flipped = np.where(lead == 0, 0.5, np.sign(later) != np.sign(lead))
        says_first, says_second = after.decides[:, known], _turned(after.decides)[:, known]
        other_way = np.where(lead > 0, says_second, np.where(lead < 0, says_first, 0.0))
        lost = decided & ~(says_first | says_second)
        for level in range(len(levels)):
            for sums, weights in (
                (counts.pairs, np.ones(len(lead))),
                (counts.flipped, flipped[level]),
                (counts.reversed, other_way[level]),
                (counts.lost, lost[level]),
            ):
                sums[level] = np.bincount(cells, weights, sums[level].size).reshape(len(KINDS), -1)
        counts.shift[:] = ((after.medians - before.medians) ** 2).sum(axis=1)
        counts.medians = after.medians.shape[1]
        return counts

    def __iadd__(self, other: Self) -> Self:
        for name in ("pairs", "flipped", "reversed", "lost", "shift"):
            getattr(self, name)[...] += getattr(other, name)
        self.medians += other.medians
        return self

    def scores(self) -> Iterator[Score]:
        """Yield the scores of one part; bins without pairs have none."""
        for level, noise_sd in enumerate(self.levels):
            if self.medians:
                shift = float(np.sqrt(self.shift[level] / self.medians))
                yield Score(Measure.MEDIAN_SHIFT, shift, self.medians, noise_sd=noise_sd)
            for kind, pairs in enumerate(KINDS):
                for cell in range(len(MARGIN_EDGES) - 1):
                    yield from self._cell(level, kind, cell, pairs)

    def _cell(self, level: int, kind: int, cell: int, pairs: Pairs) -> Iterator[Score]:
        at = (level, kind, cell)
        n = int(self.pairs[at])
        sums = {Measure.ORDER_FLIPPED: self.flipped}
        if pairs is Pairs.DECIDED:
            sums |= {Measure.CLAIM_REVERSED: self.reversed, Measure.CLAIM_LOST: self.lost}
        for measure, counted in sums.items() if n else ():
            yield Score(
                measure,
                float(counted[at] / n),
                n,
                pairs=pairs,
                noise_sd=self.levels[level],
                bin_low=MARGIN_EDGES[cell],
                bin_high=MARGIN_EDGES[cell + 1],
            )


def _turned(decides: Mask) -> Mask:
    """Return whether the second of each pair is decided to be nearer."""
    return np.swapaxes(decides, -1, -2)


def _bins(margins: Reals) -> npt.NDArray[np.int64]:
    """Return the bin of each margin; an exact tie stands in the first."""
    found = np.digitize(margins, _EDGES, right=True) - 1
    return np.clip(found, 0, len(_EDGES) - 2)
