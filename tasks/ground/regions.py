"""What a depth map says about one region: median, spread, and whether to believe it.

Depth is brought to the grid of the mask, so that erosion and areas mean the same for every model.
Medians are of nearness, 1 nearest, between the map's own percentiles: no statement here changes
when a model's output is scaled or shifted.  Glass and mirrors show what is behind or before them,
and sky has no depth; such objects, and what is seen within glass, are flagged and their numbers are
not used.
"""

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

import cv2
import numpy as np
import numpy.typing as npt

from infra.images.depth_codec import Direction, decode_levels, nearness, sky_mask, values_of
from tasks.ground.rules import GroundParams

Mask = npt.NDArray[np.bool_]
Nearness = npt.NDArray[np.float32]

REFLECTIVE: Final = re.compile(
    r"\b(glass|mirrors?|windows?|windowpanes?|shop ?windows?)\b(?![- ](blinds?|sills?|frames?))",
    re.IGNORECASE,
)
"""Names of things that show something else; eyeglasses and the opaque parts of windows are none."""
SKY: Final = re.compile(r"\bsky\b", re.IGNORECASE)
QUANTILES: Final = (10, 25, 50, 75, 90)


class DepthStatus(StrEnum):
    """Whether an object's depth facts hold; `objects.depth_status`."""

    OK = "ok"
    TOO_SMALL = "too_small"
    FLAT = "flat"
    MISSING = "missing"
    SKY = "sky"
    REFLECTIVE = "reflective"


@dataclass(frozen=True, slots=True)
class DepthField:
    """A depth map on the grid of the masks.

    Attributes:
        near: (H, W) float32 in [0, 1], 1 nearest.
        sky: (H, W), true in the sky.
        is_flat: whether the map carries no order.
    """

    near: Nearness
    sky: Mask
    is_flat: bool


@dataclass(frozen=True, slots=True)
class DepthFacts:
    """Quantiles of nearness over a region; all None for a missing or flat map."""

    status: DepthStatus
    median: float | None = None
    p10: float | None = None
    p90: float | None = None
    iqr: float | None = None


def field_of(depth_map: dict[str, Any], width: int, height: int) -> DepthField:
    """Return a row of `depth_maps` on a grid of `width` x `height`."""
    direction = Direction(depth_map["direction"])
    levels = decode_levels(depth_map["depth"])
    values = values_of(levels, depth_map["lo"], depth_map["hi"])
    near = nearness(values, depth_map["p2"], depth_map["p98"], direction)
    sky = sky_mask(levels, direction)
    if near.shape != (height, width):
        finer = cv2.resize(near, (width, height), interpolation=cv2.INTER_LINEAR)
        near = np.asarray(finer, dtype=np.float32)
        grey = sky.astype(np.uint8)
        sky = cv2.resize(grey, (width, height), interpolation=cv2.INTER_NEAREST) > 0
    return DepthField(near, sky, depth_map["status"] == "flat")


def core_of(mask: Mask, params: GroundParams) -> Mask:
    """Return the mask without its rim, or all of it where too little would be left.

    The picture's border is no rim: nothing else is seen through it.
    """
    side = 2 * params.erode_px + 1
    core = cv2.erode(mask.astype(np.uint8), np.ones((side, side), dtype=np.uint8)) > 0
    return core if int(core.sum()) >= params.whole_mask_below_px else mask


def is_reflective(category: str | None) -> bool:
    """Return whether a label names glass or a mirror."""
    return REFLECTIVE.search(category or "") is not None


def facts_of(
    mask: Mask, category: str | None, field: DepthField | None, params: GroundParams
) -> DepthFacts:
    """Return the depth facts of one object.

    Args:
        mask: (H, W), at least one true pixel.
        category: its label; tells sky and reflecting things.
        field: the picture's depth on the same grid; None if there is no map.
        params: the numbers that decide.
    """
    if field is None:
        return DepthFacts(DepthStatus.MISSING)
    if field.is_flat:
        return DepthFacts(DepthStatus.FLAT)
    near = field.near[core_of(mask, params)]
    p10, p25, p50, p75, p90 = (float(q) for q in np.percentile(near, QUANTILES))
    status = _status(mask, category or "", field.sky, params)
    return DepthFacts(status, median=p50, p10=p10, p90=p90, iqr=p75 - p25)


def _status(mask: Mask, category: str, sky: Mask, params: GroundParams) -> DepthStatus:
    if SKY.search(category) or float(sky[mask].mean()) >= params.sky_share:
        return DepthStatus.SKY
    if is_reflective(category):
        return DepthStatus.REFLECTIVE
    if int(mask.sum()) < params.min_area_px:
        return DepthStatus.TOO_SMALL
    return DepthStatus.OK
