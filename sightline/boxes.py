"""Boxes, the two public conventions, and the way from a crop back to the original image.

A box is (x0, y0, x1, y1).  Unless a name says `px`, it is in fractions of the *view* it was given
in, and a view is itself a box on the original image.  Two public conventions differ and must not
be mixed: Visual-CoT (arXiv:2403.16999) pads the image to a centred square first, VisReason
(arXiv:2511.17731) divides by width and height.
"""

import math
from collections.abc import Iterable, Sequence

Box = tuple[float, float, float, float]

FULL_VIEW: Box = (0.0, 0.0, 1.0, 1.0)


def as_box(values: Sequence[object]) -> Box | None:
    """Return four finite numbers as a box, or None if `values` is anything else."""
    if isinstance(values, str) or len(values) != 4:  # noqa: PLR2004 - four corners
        return None
    numbers = [float(v) for v in values if isinstance(v, int | float) and not isinstance(v, bool)]
    if len(numbers) != len(values) or not all(math.isfinite(n) for n in numbers):
        return None
    return (numbers[0], numbers[1], numbers[2], numbers[3])


def area(box: Box) -> float:
    """Return the area, 0 for a box without one."""
    return max(0.0, box[2] - box[0]) * max(0.0, box[3] - box[1])


def union(boxes: Iterable[Box]) -> Box:
    """Return the smallest box that holds all `boxes`.

    Raises:
        ValueError: there are none.
    """
    listed = list(boxes)
    if not listed:
        msg = "the union of no boxes is undefined"
        raise ValueError(msg)
    x0s, y0s, x1s, y1s = zip(*listed, strict=True)
    return (min(x0s), min(y0s), max(x1s), max(y1s))


def clip(box: Box, width: float = 1.0, height: float = 1.0) -> Box:
    """Return the part of `box` inside (0, 0, width, height); it may have no area."""
    return (
        min(max(box[0], 0.0), width),
        min(max(box[1], 0.0), height),
        min(max(box[2], 0.0), width),
        min(max(box[3], 0.0), height),
    )


def intersection_area(a: Box, b: Box) -> float:
    """Return the area that `a` and `b` share."""
    return area((max(a[0], b[0]), max(a[1], b[1]), min(a[2], b[2]), min(a[3], b[3])))


def iou(a: Box, b: Box) -> float:
    """Return intersection over union, 0 if either has no area."""
    both = intersection_area(a, b)
    either = area(a) + area(b) - both
    return both / either if either > 0 else 0.0


def contains(outer: Box, inner: Box, slack: float = 1e-6) -> bool:
    """Return whether `inner` lies in `outer`, up to `slack` on every side."""
    return (
        outer[0] <= inner[0] + slack
        and outer[1] <= inner[1] + slack
        and outer[2] >= inner[2] - slack
        and outer[3] >= inner[3] - slack
    )


def px_to_frac(box_px: Box, width: int, height: int) -> Box:
    """Return a pixel box as fractions of a `width` x `height` image."""
    return (box_px[0] / width, box_px[1] / height, box_px[2] / width, box_px[3] / height)


def frac_to_px(box: Box, width: int, height: int) -> Box:
    """Return a box in fractions as pixels of a `width` x `height` image."""
    return (box[0] * width, box[1] * height, box[2] * width, box[3] * height)


def square_frac_to_px(box: Box, width: int, height: int) -> Box:
    """Return a box on the centred padded square as pixels of the image itself.

    Visual-CoT: x' = (x + (max - w) // 2) / max, with max the longer side.
    """
    side = max(width, height)
    pad_x, pad_y = (side - width) // 2, (side - height) // 2
    return (
        box[0] * side - pad_x,
        box[1] * side - pad_y,
        box[2] * side - pad_x,
        box[3] * side - pad_y,
    )


def px_to_square_frac(box_px: Box, width: int, height: int) -> Box:
    """Return a pixel box as fractions of the centred padded square."""
    side = max(width, height)
    pad_x, pad_y = (side - width) // 2, (side - height) // 2
    return (
        (box_px[0] + pad_x) / side,
        (box_px[1] + pad_y) / side,
        (box_px[2] + pad_x) / side,
        (box_px[3] + pad_y) / side,
    )


def to_view(box: Box, view: Box) -> Box:
    """Return `box`, on the original, in fractions of `view`; it may leave the unit square.

    Raises:
        ValueError: `view` has no area.
    """
    width, height = view[2] - view[0], view[3] - view[1]
    if width <= 0 or height <= 0:
        msg = f"a view must have an area, found {view!r}"
        raise ValueError(msg)
    return (
        (box[0] - view[0]) / width,
        (box[1] - view[1]) / height,
        (box[2] - view[0]) / width,
        (box[3] - view[1]) / height,
    )


def from_view(box: Box, view: Box) -> Box:
    """Return `box`, given in fractions of `view`, on the original image."""
    width, height = view[2] - view[0], view[3] - view[1]
    return (
        view[0] + box[0] * width,
        view[1] + box[1] * height,
        view[0] + box[2] * width,
        view[1] + box[3] * height,
    )
