"""How one map does against true depth, pixel by pixel and pair by pair.

AbsRel and delta1 are those of every depth paper since arXiv:1406.2283; Spearman's correlation and
the order of point pairs need no fit, so they judge a relative map by what it promises.
"""

from collections.abc import Iterator
from itertools import pairwise
from typing import Final

import numpy as np
import numpy.typing as npt
from scipy.stats import spearmanr

from tasks.depth_audit.encodings import TrueDepth
from tasks.depth_audit.estimates import (
    MIN_DEPTH_M,
    Estimate,
    depth_cap,
    fit_of,
    inverse_depth,
    on_grid,
)
from tasks.depth_audit.params import RATIO_EDGES, TruthParams
from tasks.depth_audit.scores import Measure, Score

Reals = npt.NDArray[np.float64]

DELTA: Final = 1.25


def pixel_scores(
    estimate: Estimate,
    truth: TrueDepth,
    *,
    max_depth: float | None,
    params: TruthParams,
    rng: np.random.Generator,
) -> Iterator[Score]:
    """Yield the scores of one map against the truth of the same picture.

    Args:
        estimate: the map.
        truth: readings; those beyond `max_depth` are left out.
        max_depth: limit that the row states, in the truth's unit.
        params: how many pairs of points.
        rng: draws them.

    Raises:
        TruthRowError: the map is not of the same picture.
    """
    values = on_grid(estimate.values, *truth.depth.shape)
    towards = on_grid(estimate.towards, *truth.depth.shape)[truth.valid]
    depth, note = truth.depth[truth.valid], truth.note
    yield Score(Measure.VALID_SHARE, float(truth.valid.mean()), truth.valid.size, note=note)
    yield Score(Measure.SPEARMAN, _spearman(towards, depth), len(depth), note=note)
    yield from point_orders(towards, depth, params, rng, note)
    fit = fit_of(values, truth, is_metric=estimate.is_metric)
    inverse = inverse_depth(values, fit, is_metric=estimate.is_metric)[truth.valid]
    cap = depth_cap(truth, max_depth)
    guessed = np.clip(1.0 / np.maximum(inverse, 1.0 / cap), MIN_DEPTH_M * min(1.0, cap), cap)
    yield Score(
        Measure.ABS_REL, float(np.mean(np.abs(guessed - depth) / depth)), len(depth), note=note
    )
    factor = np.maximum(guessed / depth, depth / guessed)
    yield Score(Measure.DELTA1, float(np.mean(factor < DELTA)), len(depth), note=note)


def point_orders(
    towards: Reals, depth: Reals, params: TruthParams, rng: np.random.Generator, note: str | None
) -> Iterator[Score]:
    """Yield the share of random point pairs in right order: of all, and by ratio of their depths.

    Pairs closer than the first edge of `RATIO_EDGES` are not asked about.  A tie of the map counts
    as half.
    """
    first, second = rng.integers(0, len(depth), (2, params.point_pairs))
    ratio = np.maximum(depth[first] / depth[second], depth[second] / depth[first])
    right = order_agrees(towards[first] - towards[second], depth[second] - depth[first])
    asked = ratio > RATIO_EDGES[0]
    yield _share(right[asked], note)
    for low, high in pairwise(RATIO_EDGES):
        within = (ratio > low) & (ratio <= high)
        yield _share(right[within], note, low, None if np.isinf(high) else high)


def order_agrees(lead: Reals, true_lead: Reals) -> Reals:
    """Return 1 where two leads have one sign, 0 where not, 0.5 where the first is 0."""
    agrees = (np.sign(lead) == np.sign(true_lead)).astype(np.float64)
    return np.where(lead == 0, 0.5, agrees)


def _share(
    right: Reals, note: str | None, low: float | None = None, high: float | None = None
) -> Score:
    value = float(right.mean()) if right.size else None
    return Score(Measure.POINT_ORDER, value, int(right.size), bin_low=low, bin_high=high, note=note)


def _spearman(towards: Reals, depth: Reals) -> float | None:
    """Return the rank correlation of two nearnesses; None for a map or a truth of one value."""
    if towards.min() == towards.max() or depth.min() == depth.max():
        return None
    return float(spearmanr(towards, -depth).statistic)
