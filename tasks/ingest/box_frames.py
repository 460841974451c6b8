"""Boxes as sources state them, brought to pixels of the upright image, or refused.

A box is clipped to the image and counted, never repaired: without area or wholly outside it
refuses its row.  Two statements of one box must agree within their rounding (Visual-CoT,
arXiv:2403.16999, gives pixels and three-digit fractions of the padded square).  A size declared
with sides swapped proves that the source read a photo without its EXIF rotation; then, and only
then, its boxes are turned with the photo.  Orientations 2-4 keep the sides, so they prove nothing:
such boxes are taken as upright, as every viewer shows the photo.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from sightline.boxes import Box, area, clip, frac_to_px, square_frac_to_px
from sightline.errors import Failure
from tasks.ingest.source import Convention, RowRefusedError

FRACTION_ROUNDING = 0.0005
"""Half of the last of three digits."""
PIXEL_ROUNDING = 1.0
"""Pixel boxes are whole numbers, and the pad is rounded down."""

Size = tuple[int, int]


@dataclass(frozen=True, slots=True)
class ClippedBoxes:
    """Boxes inside the image, in px, and how many had to be clipped."""

    boxes: tuple[Box, ...]
    n_clipped: int


def boxes_px(boxes: Sequence[Box], convention: Convention, size: Size) -> tuple[Box, ...]:
    """Return `boxes` in pixels of an image of `size`, as stated, not clipped."""
    match convention:
        case Convention.PX:
            return tuple(boxes)
        case Convention.UNIT:
            return tuple(frac_to_px(box, *size) for box in boxes)
        case Convention.UNIT_1000:
            return tuple(frac_to_px(_scaled(box, 1000.0), *size) for box in boxes)
        case Convention.PADDED_SQUARE:
            return tuple(square_frac_to_px(box, *size) for box in boxes)


def clip_all(boxes: Sequence[Box], size: Size) -> ClippedBoxes:
    """Return `boxes` clipped to an image of `size`.

    Raises:
        RowRefusedError: `BOX_DEGENERATE` or `BOX_OUTSIDE`.
    """
    clipped = [_clipped(box, size) for box in boxes]
    n_clipped = sum(before != after for before, after in zip(boxes, clipped, strict=True))
    return ClippedBoxes(tuple(clipped), n_clipped)


def upright_boxes(boxes: Sequence[Box], orientation: int, stored_size: Size) -> tuple[Box, ...]:
    """Return boxes on the stored pixels as boxes on the upright image.

    Args:
        boxes: in pixels of the stored, unrotated image.
        orientation: EXIF orientation, 1..8.
        stored_size: width and height before rotation.
    """
    return tuple(_turned(box, orientation, stored_size) for box in boxes)


def require_agreement(boxes: Sequence[Box], squares: Sequence[Box], size: Size) -> None:
    """Refuse the row unless pixel and padded-square statements of its boxes agree.

    Raises:
        RowRefusedError: `BOX_CONVENTION`.
    """
    slack = FRACTION_ROUNDING * max(size) + PIXEL_ROUNDING
    for box, square in zip(boxes, squares, strict=True):
        found = square_frac_to_px(square, *size)
        if any(abs(a - b) > slack for a, b in zip(box, found, strict=True)):
            detail = (
                f"expected the padded-square box {square} to be {box} px on a "
                f"{size[0]} x {size[1]} image, found {tuple(round(v, 1) for v in found)} px"
            )
            raise RowRefusedError(Failure.BOX_CONVENTION, detail)


def some_size_fits(box: Box, square: Box) -> bool:
    """Return whether an image size exists for which the two statements of a box agree.

    For rows without an image: side = px extent / fraction, the same from x and y, and the pad of
    at least one axis is zero.
    """
    low, high = _side_range(box, square)
    if low > high:
        return False
    pads = [_pad_range(box[axis], square[axis], low, high) for axis in (0, 1)]
    return all(most >= 0 for _, most in pads) and any(least <= 0 for least, _ in pads)


def _side_range(box: Box, square: Box) -> tuple[float, float]:
    low, high = 1.0, float("inf")
    for axis in (0, 1):
        extent, share = box[axis + 2] - box[axis], square[axis + 2] - square[axis]
        low = max(low, (extent - 2 * PIXEL_ROUNDING) / (share + 2 * FRACTION_ROUNDING))
        if share > 2 * FRACTION_ROUNDING:
            high = min(high, (extent + 2 * PIXEL_ROUNDING) / (share - 2 * FRACTION_ROUNDING))
    return low, high


def _pad_range(start_px: float, start: float, low: float, high: float) -> tuple[float, float]:
    ends = [(start + sign * FRACTION_ROUNDING) * side for side in (low, high) for sign in (-1, 1)]
    return min(ends) - start_px - PIXEL_ROUNDING, max(ends) - start_px + PIXEL_ROUNDING


def _clipped(box: Box, size: Size) -> Box:
    if area(box) <= 0:
        detail = f"expected x0 < x1 and y0 < y1, found {box}"
        raise RowRefusedError(Failure.BOX_DEGENERATE, detail)
    inside = clip(box, *size)
    if area(inside) <= 0:
        detail = f"expected a box on the {size[0]} x {size[1]} image, found {box} px"
        raise RowRefusedError(Failure.BOX_OUTSIDE, detail)
    return inside


def _scaled(box: Box, whole: float) -> Box:
    return (box[0] / whole, box[1] / whole, box[2] / whole, box[3] / whole)


def _turned(box: Box, orientation: int, stored_size: Size) -> Box:
    """Apply transpose, then mirror, then flip: the same order as for the pixels."""
    x0, y0, x1, y1 = box
    width, height = stored_size
    if orientation >= 5:  # noqa: PLR2004 - EXIF: 5..8 swap the axes
        x0, y0, x1, y1 = y0, x0, y1, x1
        width, height = height, width
    if orientation in {2, 3, 6, 7}:
        x0, x1 = width - x1, width - x0
    if orientation in {3, 4, 7, 8}:
        y0, y1 = height - y1, height - y0
    return (x0, y0, x1, y1)
