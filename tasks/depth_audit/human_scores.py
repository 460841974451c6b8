"""Whether a map puts the nearer of two points nearer, as people labelled it.

Values are read as medians of a small square, so that a ring drawn around the point, 5 px away, is
not what is read.  The margin is in nearness: accuracy by margin tells what a margin is worth on
real photographs.
"""

from typing import Final

import numpy as np
import numpy.typing as npt

from tasks.depth_audit.estimates import Estimate, on_grid
from tasks.depth_audit.markers import Point
from tasks.depth_audit.params import MARGIN_EDGES
from tasks.depth_audit.scores import Measure, Score
from tasks.depth_audit.truth_rows import TruthRowError

Reals = npt.NDArray[np.float64]

REACH_PX: Final = 2
"""A square of 5 x 5 px around a point."""


def human_score(
    estimate: Estimate, size: tuple[int, int], points: dict[str, Point], nearer: str
) -> Score:
    """Return whether the map agrees; a tie is half.

    Args:
        estimate: the map.
        size: (width, height) of the picture that the points are in.
        points: of A and B.
        nearer: the label.

    Raises:
        TruthRowError: a point lies outside the picture, or the map is of another one.
    """
    width, height = size
    for name, point in points.items():
        if not (0 <= point.x < width and 0 <= point.y < height):
            msg = f"point {name} at ({point.x}, {point.y}) is outside the {width} x {height} px"
            raise TruthRowError(msg)
    farther = "B" if nearer == "A" else "A"
    towards = on_grid(estimate.towards, height, width)
    lead = _at(towards, points[nearer]) - _at(towards, points[farther])
    near = on_grid(estimate.near, height, width)
    margin = abs(_at(near, points[nearer]) - _at(near, points[farther]))
    low, high = _bin(margin)
    value = 0.5 if lead == 0 else float(lead > 0)
    return Score(Measure.HUMAN_ORDER, value, 1, bin_low=low, bin_high=high)


def _at(values: Reals, point: Point) -> float:
    top, left = max(0, point.y - REACH_PX), max(0, point.x - REACH_PX)
    return float(np.median(values[top : point.y + REACH_PX + 1, left : point.x + REACH_PX + 1]))


def _bin(margin: float) -> tuple[float, float]:
    """Return the bin of `MARGIN_EDGES` that holds a margin; a tie stands in the first."""
    last = len(MARGIN_EDGES) - 2
    found = min(max(int(np.searchsorted(MARGIN_EDGES, margin)) - 1, 0), last)
    return MARGIN_EDGES[found], MARGIN_EDGES[found + 1]
