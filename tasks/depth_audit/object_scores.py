"""Whether the objects of a picture stand in the order that true depth says.

Facts and relations are made by the code that makes those of a lake; an object's true nearness is
the median of the readings within its core.  Objects that a sensor hardly reads are left out.
"""

from collections.abc import Iterator
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from infra.images.masks import decode_mask
from tasks.depth_audit.encodings import TrueDepth
from tasks.depth_audit.estimates import Estimate, expected_nearness, fit_of, on_grid
from tasks.depth_audit.params import RATIO_EDGES
from tasks.depth_audit.pixel_scores import order_agrees
from tasks.depth_audit.scores import Measure, Pairs, Score
from tasks.ground.regions import core_of
from tasks.ground.relations import comparable, holds_depth, leads
from tasks.ground.rules import GroundParams

Reals = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

LEAST_READ_SHARE: Final = 0.1
LEAST_READINGS: Final = 20
"""Less of an object's core than this gives no true median; KITTI reads one pixel in five."""


def object_scores(
    objects: pa.Table, estimate: Estimate, truth: TrueDepth, ground: GroundParams
) -> Iterator[Score]:
    """Yield the scores of one picture's objects: order, share decided, error of medians.

    Args:
        objects: `objects` rows of the picture, from the same map.
        estimate: the map.
        truth: of the same picture.
        ground: the rule that decides relations.
    """
    if objects.num_rows:
        yield from _orders(objects, truth, ground)
        yield from _errors(objects, estimate, truth, ground)


def _errors(
    objects: pa.Table, estimate: Estimate, truth: TrueDepth, ground: GroundParams
) -> Iterator[Score]:
    """Yield the root mean square error of the medians, in nearness."""
    values = on_grid(estimate.values, *truth.depth.shape)
    fit = fit_of(values, truth, is_metric=estimate.is_metric)
    wanted = expected_nearness(truth, estimate, fit)
    true_near = _true_medians(objects, wanted, np.isfinite(wanted), ground)
    known = holds_depth(objects) & np.isfinite(true_near)
    if known.any():
        error = _reals(objects, "depth_median")[known] - true_near[known]
        value = float(np.sqrt(np.mean(error**2)))
        yield Score(Measure.OBJECT_ERROR, value, int(known.sum()), note=truth.note)


def _orders(objects: pa.Table, truth: TrueDepth, ground: GroundParams) -> Iterator[Score]:
    true_depth = _true_medians(objects, truth.depth, truth.valid, ground)
    known = holds_depth(objects) & np.isfinite(true_depth)
    medians, spreads = _reals(objects, "depth_median"), _reals(objects, "depth_iqr")
    lead, decides = leads(medians, spreads, ground.min_depth_margin, ground)
    ratio = np.maximum(true_depth[:, None] / true_depth, true_depth / true_depth[:, None])
    asked = np.triu(comparable(objects, ground) & known[:, None] & known, k=1)
    asked &= np.nan_to_num(ratio) > RATIO_EDGES[0]
    if not asked.any():
        return
    right = order_agrees(lead, true_depth[None, :] - true_depth[:, None])
    decided = decides | decides.T
    for pairs, chosen in (
        (Pairs.ALL, asked),
        (Pairs.DECIDED, asked & decided),
        (Pairs.AMBIGUOUS, asked & ~decided),
    ):
        count = int(chosen.sum())
        value = float(right[chosen].mean()) if count else None
        yield Score(Measure.OBJECT_ORDER, value, count, pairs=pairs, note=truth.note)
    kept = float(decided[asked].mean())
    yield Score(Measure.OBJECT_KEPT, kept, int(asked.sum()), note=truth.note)


def _reals(objects: pa.Table, column: str) -> Reals:
    """Return a column, null as NaN."""
    return np.asarray(objects[column].to_pylist(), dtype=np.float64)


def _true_medians(objects: pa.Table, values: Reals, valid: Mask, ground: GroundParams) -> Reals:
    """Return (n,) the median of readings within each object's core; NaN where too few."""
    found = np.full(objects.num_rows, np.nan)
    rows = objects.select(["mask_rle", "mask_width", "mask_height"]).to_pylist()
    height, width = values.shape
    for number, row in enumerate(rows):
        mask = decode_mask(row["mask_rle"], row["mask_width"], row["mask_height"])
        core = core_of(mask, ground).astype(np.uint8)
        fine = cv2.resize(core, (width, height), interpolation=cv2.INTER_NEAREST) > 0
        read = fine & valid
        if read.sum() >= max(LEAST_READINGS, LEAST_READ_SHARE * fine.sum()):
            found[number] = np.median(values[read])
    return found
