"""A cosine threshold from a labelled sample, with what the sample proves about it.

A threshold is as good as the pairs it was read from: the interval (Wilson, 95 %) says how much.
Without a single mistake, 381 pairs above the threshold are needed to prove a precision of 0.99.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

Z_95: Final = 1.959963984540054


@dataclass(frozen=True, slots=True)
class Threshold:
    """A threshold and its evidence.

    Fields:
        cosine: least cosine.
        precision: share of true duplicates among the pairs that reach it.
        low: lower end of the precision's interval.
        high: upper end.
        recall: share of the sample's true duplicates that reach it.
        pairs: how many pairs reach it.
    """

    cosine: float
    precision: float
    low: float
    high: float
    recall: float
    pairs: int

    def proves(self, precision: float) -> bool:
        """Return whether the sample is large enough to rule out less than `precision`."""
        return self.low >= precision


def calibrated(
    cosines: Sequence[float], labels: Sequence[bool], precision: float = 0.99
) -> Threshold:
    """Return the lowest threshold whose pairs are true duplicates with at least `precision`.

    Args:
        cosines: of the labelled pairs.
        labels: whether each pair is one.
        precision: wanted share, in (0, 1].

    Raises:
        ValueError: lengths differ, or no threshold reaches the precision.
    """
    if len(cosines) != len(labels):
        msg = f"expected a label per pair, found {len(labels)} for {len(cosines)} pairs"
        raise ValueError(msg)
    order = np.argsort(-np.asarray(cosines, dtype=np.float64), kind="stable")
    values = np.asarray(cosines, dtype=np.float64)[order]
    hits = np.cumsum(np.asarray(labels, dtype=np.int64)[order])
    counts = np.arange(1, len(values) + 1)
    is_cut = np.append(values[1:] < values[:-1], np.ones(min(1, len(values)), dtype=bool))
    good = np.flatnonzero(is_cut & (hits >= precision * counts) & (hits > 0))
    if not len(good):
        msg = f"no threshold reaches a precision of {precision}; label more pairs or report less"
        raise ValueError(msg)
    last = int(good[-1])
    low, high = wilson(int(hits[last]), int(counts[last]))
    return Threshold(
        cosine=float(values[last]),
        precision=float(hits[last] / counts[last]),
        low=low,
        high=high,
        recall=float(hits[last] / hits[-1]),
        pairs=int(counts[last]),
    )


def wilson(hits: int, count: int, z: float = Z_95) -> tuple[float, float]:
    """Return the Wilson score interval of a share; (0, 1) of nothing."""
    if not count:
        return 0.0, 1.0
    share, square = hits / count, z * z
    centre = (share + square / (2 * count)) / (1 + square / count)
    half = z * math.sqrt(share * (1 - share) / count + square / (4 * count * count))
    half /= 1 + square / count
    return max(0.0, centre - half), min(1.0, centre + half)
