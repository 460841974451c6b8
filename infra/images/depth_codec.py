"""A depth map as it is stored: 16-bit PNG with 12-bit levels, and the numbers to undo it.

Levels are linear between `lo` and `hi`, so the error is at most half a level, 1.2e-4 of the range.
Nearness is the map between its 2nd and 98th percentile with 1 at the near end, whichever way the
model counts; sky is left out of the percentiles, or one open window would squeeze a whole room.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

Values = npt.NDArray[np.float32]
Levels = npt.NDArray[np.uint16]
Mask = npt.NDArray[np.bool_]

MAX_LEVEL: Final = 4095
PERCENTILES: Final = (2.0, 98.0)
SKY_SHARE: Final = 0.01
"""Least share of the picture that a saturated region at the top edge must cover to be sky."""
FLAT_SHARE: Final = 1e-5
"""A map whose percentiles lie closer than this share of its largest value holds float noise."""
PNG_OPTIONS: Final = (
    cv2.IMWRITE_PNG_COMPRESSION, 1,
    cv2.IMWRITE_PNG_FILTER, cv2.IMWRITE_PNG_FILTER_UP,
)  # fmt: skip
"""Half the time of level 4 with OpenCV's choice of filter, for 7 to 13 % more bytes: differences
to the row above are small in depth, and matches longer than those of level 1 are rare."""


class Direction(StrEnum):
    """Which way stored values grow."""

    LARGER_NEARER = "larger_nearer"
    LARGER_FARTHER = "larger_farther"


@dataclass(frozen=True, slots=True)
class StoredDepth:
    """Columns of `depth_maps` that describe the map itself.

    Attributes:
        png: 16-bit grey PNG of levels 0..4095.
        lo: value of level 0.
        hi: value of level 4095; equal to `lo` where all values are one.
        p2: 2nd percentile of the values outside the sky.
        p98: 98th percentile.
        is_flat: whether the map carries no order.
    """

    png: bytes
    width: int
    height: int
    lo: float
    hi: float
    p2: float
    p98: float
    is_flat: bool


def encode_depth(values: Values, direction: Direction) -> StoredDepth:
    """Return the stored form of an (H, W) map.

    Raises:
        ValueError: a value is not finite.
    """
    if not np.isfinite(values).all():
        msg = f"expected finite depth, found {int((~np.isfinite(values)).sum())} other values"
        raise ValueError(msg)
    lo, hi = float(values.min()), float(values.max())
    levels = np.zeros(values.shape, dtype=np.uint16)
    if hi > lo:
        scaled = np.subtract(values, lo, dtype=np.float32)  # one buffer: fresh pages cost more
        scaled /= hi - lo  # before the product, which may not overflow
        scaled *= MAX_LEVEL
        levels = np.rint(scaled, out=scaled).astype(np.uint16)
    p2, p98 = (lo + level * ((hi - lo) / MAX_LEVEL) for level in _ground_span(levels, direction))
    is_flat = p98 - p2 <= FLAT_SHARE * max(abs(lo), abs(hi))
    _, data = cv2.imencode(".png", levels, PNG_OPTIONS)
    height, width = values.shape
    return StoredDepth(bytes(data), width, height, lo, hi, p2, p98, is_flat)


def _ground_span(levels: Levels, direction: Direction) -> list[float]:
    """Return the `PERCENTILES` of the levels outside the sky, as `numpy.percentile` defines them.

    A map has few levels and many pixels, so they are counted and not sorted.
    """
    counts = np.bincount(levels.ravel(), minlength=MAX_LEVEL + 1)
    counts[0] -= np.count_nonzero(sky_mask(levels, direction))
    up_to = np.cumsum(counts)
    if not up_to[-1]:
        return [0.0 for _ in PERCENTILES]
    places = [(up_to[-1] - 1) * percent / 100 for percent in PERCENTILES]
    below = np.searchsorted(up_to, np.floor(places), side="right")
    above = np.searchsorted(up_to, np.ceil(places), side="right")
    return [float(a + (b - a) * (at % 1)) for a, b, at in zip(below, above, places, strict=True)]


def decode_levels(png: bytes) -> Levels:
    """Return the (H, W) levels.

    Raises:
        ValueError: not a 16-bit grey PNG.
    """
    decoded = cv2.imdecode(np.frombuffer(png, dtype=np.uint8), cv2.IMREAD_UNCHANGED)
    if decoded is None or decoded.dtype != np.uint16 or decoded.ndim != 2:  # noqa: PLR2004 - grey
        msg = "expected a 16-bit grey PNG"
        raise ValueError(msg)
    return np.asarray(decoded, dtype=np.uint16)


def values_of(levels: Levels, lo: float, hi: float) -> Values:
    """Return what the model said, up to half a level."""
    values = lo + levels.astype(np.float64) * ((hi - lo) / MAX_LEVEL)
    return np.asarray(values, dtype=np.float32)


def nearness(values: Values, p2: float, p98: float, direction: Direction) -> Values:
    """Return depth in [0, 1] with 1 nearest; all zeros for a map without spread."""
    if p98 <= p2:
        return np.zeros(values.shape, dtype=np.float32)
    share = np.clip((values - p2) / (p98 - p2), 0.0, 1.0)
    turned = share if direction is Direction.LARGER_NEARER else 1.0 - share
    return np.asarray(turned, dtype=np.float32)


def sky_mask(levels: Levels, direction: Direction) -> Mask:
    """Return the pixels taken for sky.

    Relative inverse depth saturates at its least value for what is infinitely far.  Sky is that
    exact level where it is connected to the top edge and covers at least `SKY_SHARE` of the
    picture.  Metric maps have no such value, and theirs is empty.
    """
    nothing = np.zeros(levels.shape, dtype=np.bool_)
    if direction is Direction.LARGER_FARTHER or not levels.any():
        return nothing
    farthest = (levels == 0).astype(np.uint8)
    if farthest.mean() < SKY_SHARE:
        return nothing
    _, regions = cv2.connectedComponents(farthest, connectivity=4)
    at_top = np.unique(regions[0])
    sky = np.isin(regions, at_top[at_top > 0])
    return sky if sky.mean() >= SKY_SHARE else nothing
