"""The geometry of zooming: which samples zoom, where they zoom to, and when they stop.

Numbers and rules come from VisReason (arXiv:2511.17731) on Visual-CoT (arXiv:2403.16999).  Easy to
get wrong: the gate is strict (> 0.30), the region a teacher states is in fractions of the *current
view*, and the stop rule measures the fixed region, before it is snapped to whole pixels.
"""

import math
from dataclasses import dataclass
from enum import StrEnum

from sightline.boxes import Box, area, clip, from_view, to_view, union
from sightline.ids import content_id

GATE_SHARE = 0.30
"""arXiv:2511.17731: a target on more than 30 % of the image needs no zoom; CUB gives 54.63 %."""

STOP_RATIO = 2.0
"""N of arXiv:2511.17731: a region of at most twice the target's area is tight enough."""

MIN_SIDE_FRAC = 0.001
"""Finest step of any convention teachers write in (0..1000); a thinner box is degenerate."""

_PX_SLACK = 1e-6
"""Pixels by which float noise may leave the grid without reaching for the next pixel."""


class Route(StrEnum):
    """Why a sample zooms or does not."""

    ZOOM = "zoom"
    GATED = "gated"
    MIXED = "mixed"
    NO_TARGET = "no_target"
    ONE_ROUND = "one_round"


@dataclass(frozen=True, slots=True)
class Region:
    """A stated region after `verify_and_fix`.

    Attributes:
        box: fractions of the current view; holds the target.
        ratio: area of `box` over the area of the target.
    """

    box: Box
    ratio: float


def is_gated(target: Box, gate_share: float = GATE_SHARE) -> bool:
    """Return whether the target, in fractions of the image, is too large for zooming to help."""
    return area(target) > gate_share


def in_mix(sample_id: str, share: float) -> bool:
    """Return whether the sample is in the fixed `share` that gets a single round anyway.

    Decided by a hash of the id alone, so no order, part or run changes it.
    """
    digest = content_id("mix", sample_id).removeprefix("mix_")
    return int(digest, 16) / float(1 << 4 * len(digest)) < share


def clean_region(stated: Box | None) -> Box | None:
    """Return the stated region clipped to the view, or None if it has no usable area there."""
    if stated is None:
        return None
    inside = clip(stated)
    sides = (inside[2] - inside[0], inside[3] - inside[1])
    return inside if min(sides) >= MIN_SIDE_FRAC else None


def verify_and_fix(stated: Box | None, target: Box) -> Region | None:
    """Return the smallest region that holds what was stated and the target.

    Args:
        stated: region in fractions of the current view, as written.
        target: ground truth in fractions of the current view.

    Returns:
        None if the stated region is malformed or degenerate: the previous view is kept.
    """
    inside = clean_region(stated)
    if inside is None:
        return None
    held = clip(target)
    box = union([inside, held])
    size = area(held)
    return Region(box, area(box) / size if size > 0 else math.inf)


def is_tight(region: Region, stop_ratio: float = STOP_RATIO) -> bool:
    """Return whether zooming stops at this region."""
    return region.ratio <= stop_ratio


def next_view(region: Box, view: Box, size_px: tuple[int, int], min_view_px: int) -> Box:
    """Return the region as the next view: whole pixels of the original, at least `min_view_px`.

    Args:
        region: fractions of `view`.
        view: the current view, fractions of the original.
        size_px: width and height of the original.
        min_view_px: least side of a view, as far as the original allows.
    """
    box = from_view(region, view)
    width, height = size_px
    x0, x1 = _span(box[0] * width, box[2] * width, width, min_view_px)
    y0, y1 = _span(box[1] * height, box[3] * height, height, min_view_px)
    return (x0 / width, y0 / height, x1 / width, y1 / height)


def _span(low: float, high: float, size: int, least: int) -> tuple[int, int]:
    start = min(max(math.floor(low + _PX_SLACK), 0), size - 1)
    end = min(max(math.ceil(high - _PX_SLACK), start + 1), size)
    wanted = min(least, size)
    missing = wanted - (end - start)
    if missing > 0:
        start = min(max(0, start - missing // 2), size - wanted)
        end = start + wanted
    return start, end


def shown_size_px(view: Box, size_px: tuple[int, int], max_view_px: int) -> tuple[int, int]:
    """Return width and height of the picture a teacher sees of `view`; never enlarged."""
    width = max(1, round((view[2] - view[0]) * size_px[0]))
    height = max(1, round((view[3] - view[1]) * size_px[1]))
    scale = min(1.0, max_view_px / max(width, height))
    return max(1, round(width * scale)), max(1, round(height * scale))


def seen_in(box: Box, view: Box, min_share: float) -> Box | None:
    """Return `box`, on the original, as fractions of `view`, clipped to it.

    Returns:
        None if less than `min_share` of it, or nothing, lies inside the view.
    """
    mapped = to_view(box, view)
    inside = clip(mapped)
    return inside if area(inside) > 0 and area(inside) >= min_share * area(mapped) else None
