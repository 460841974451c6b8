"""Estimates made from true depth, so that every score is known beforehand."""

import numpy as np

from infra.images.depth_codec import Direction
from tasks.depth_audit.encodings import TrueDepth
from tasks.depth_audit.estimates import Estimate, estimate_of
from tests.depth_rows import depth_row


def relative(inverse: np.ndarray) -> Estimate:
    return estimate_of(depth_row(inverse, Direction.LARGER_NEARER))


def metric(metres: np.ndarray) -> Estimate:
    return estimate_of(depth_row(metres, Direction.LARGER_FARTHER))


def truth_of(metres: np.ndarray, *, is_metric: bool = True) -> TrueDepth:
    return TrueDepth(metres, np.ones(metres.shape, dtype=np.bool_), is_metric, None)
