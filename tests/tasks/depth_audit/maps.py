"""Estimates made from true depth, so that every score is known beforehand."""

import numpy as np

from infra.images.depth_codec import Direction, encode_depth
from tasks.depth_audit.encodings import TrueDepth
from tasks.depth_audit.estimates import Estimate, estimate_of


def row_of(values: np.ndarray, direction: Direction, image_id: str = "a") -> dict:
    stored = encode_depth(values.astype(np.float32), direction)
    return {
        "image_id": image_id,
        "model": "test",
        "depth": stored.png,
        "width": stored.width,
        "height": stored.height,
        "lo": stored.lo,
        "hi": stored.hi,
        "p2": stored.p2,
        "p98": stored.p98,
        "kind": "relative" if direction is Direction.LARGER_NEARER else "metric",
        "direction": direction.value,
        "status": "flat" if stored.is_flat else "ok",
        "preproc_id": "0",
        "weights_sha": "0",
        "licence": None,
    }


def relative(inverse: np.ndarray) -> Estimate:
    return estimate_of(row_of(inverse, Direction.LARGER_NEARER))


def metric(metres: np.ndarray) -> Estimate:
    return estimate_of(row_of(metres, Direction.LARGER_FARTHER))


def truth_of(metres: np.ndarray, *, is_metric: bool = True) -> TrueDepth:
    return TrueDepth(metres, np.ones(metres.shape, dtype=np.bool_), is_metric, None)
