"""Pictures and frames of the report: thumbnails, depth in colour, masks, boxes in fractions.

Every picture is bounded in size, and a picture that cannot be decoded is absent, never an error:
one bad image must not cost the page.  Boxes stay fractions, so that one SVG fits any thumbnail.
"""

import colorsys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from infra.images.decode import ImageProblem, decode
from infra.images.depth_codec import Direction, decode_levels, nearness, values_of
from infra.images.masks import Mask, decode_mask
from infra.images.pixels import thumbnail, thumbnail_data_uri
from sightline.boxes import Box

RGB = npt.NDArray[np.uint8]

MAX_SIDE_PX = 480
"""Longer side of any picture on the page."""
SMALL_SIDE_PX = 280
"""Longer side of depth, masks and the views of rounds."""
LEAST_SIDE_PX = 240
"""A smaller picture is shown enlarged to this longer side."""
GOLDEN_ANGLE = 0.618034
"""Share of the colour circle between neighbours: any first n hues are well apart."""
MASK_STRENGTH = 0.5
QUALITY = 80


@dataclass(frozen=True, slots=True)
class Frame:
    """A box drawn over a picture.

    Attributes:
        box: fractions of the picture.
        kind: `truth` or `roi`.
        label: what stands beside it.
        number: round of a region, from 1; 0 for the ground truth.
    """

    box: Box
    kind: str
    label: str
    number: int = 0

    def corners(self, width: float, height: float) -> tuple[float, float, float, float]:
        """Return x, y, width and height in the units of a `width` x `height` drawing."""
        x0, y0, x1, y1 = self.box
        scaled = (x0 * width, y0 * height, (x1 - x0) * width, (y1 - y0) * height)
        x, y, w, h = (round(value, 1) for value in scaled)
        return x, y, w, h


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture as the page holds it.

    Attributes:
        uri: `data:` URI.
        width: px of the embedded picture.
        height: px of the embedded picture.
        alt: what it shows, for readers who do not see it.
        frames: drawn over it, in order.
    """

    uri: str
    width: int
    height: int
    alt: str
    frames: tuple[Frame, ...] = ()

    @property
    def shown_width(self) -> int:
        """Return the width on the page: small crops are enlarged until they can be read."""
        return round(self.width * max(1.0, LEAST_SIDE_PX / max(self.width, self.height)))


@dataclass(frozen=True, slots=True)
class DepthRow:
    """Columns of `depth_maps` that a picture needs."""

    png: bytes
    lo: float
    hi: float
    p2: float
    p98: float
    direction: str


@dataclass(frozen=True, slots=True)
class MaskRow:
    """One object's mask on its grid, and the object's number."""

    number: int
    rle: str
    width: int
    height: int


def pixels_of(data: bytes | None) -> RGB | None:
    """Return upright RGB no larger than `MAX_SIDE_PX`, None for what cannot be decoded."""
    if not data:
        return None
    try:
        return thumbnail(decode(data).rgb, MAX_SIDE_PX)
    except ImageProblem:
        return None


def picture_of(
    rgb: RGB, alt: str, frames: Iterable[Frame] = (), max_side: int = MAX_SIDE_PX
) -> Picture:
    """Return the picture for the page."""
    small = thumbnail(rgb, max_side)
    uri = thumbnail_data_uri(small, max_side, QUALITY)
    return Picture(uri, small.shape[1], small.shape[0], alt, tuple(frames))


def depth_pixels(row: DepthRow, size: tuple[int, int] | None = None) -> RGB | None:
    """Return depth in colour, bright is near; None for a map that cannot be read.

    Args:
        row: the stored map.
        size: width and height to stretch the map to, as maps have the model's grid.
    """
    try:
        levels = decode_levels(row.png)
        direction = Direction(row.direction)
    except (ValueError, cv2.error):
        return None
    near = nearness(values_of(levels, row.lo, row.hi), row.p2, row.p98, direction)
    coloured = cv2.applyColorMap((near * 255).astype(np.uint8), cv2.COLORMAP_MAGMA)
    if size is not None:
        coloured = cv2.resize(coloured, size, interpolation=cv2.INTER_LINEAR)
    return np.ascontiguousarray(coloured[:, :, ::-1]).astype(np.uint8)


def mask_pixels(rgb: RGB, masks: Sequence[MaskRow]) -> RGB:
    """Return the picture with every object tinted and outlined in its colour."""
    canvas = rgb.astype(np.float32)
    height, width = rgb.shape[:2]
    for row in masks:
        mask = _mask_at(row, width, height)
        if mask is None:
            continue
        colour = np.array(colour_of(row.number), dtype=np.float32)
        canvas[mask] = canvas[mask] * (1 - MASK_STRENGTH) + colour * MASK_STRENGTH
        edge = cv2.morphologyEx(mask.astype(np.uint8), cv2.MORPH_GRADIENT, np.ones((3, 3)))
        canvas[edge.astype(bool) & mask] = colour
    return np.clip(canvas, 0, 255).astype(np.uint8)


def _mask_at(row: MaskRow, width: int, height: int) -> Mask | None:
    try:
        mask = decode_mask(row.rle, row.width, row.height)
    except ValueError:
        return None
    scaled = cv2.resize(mask.astype(np.uint8), (width, height), interpolation=cv2.INTER_NEAREST)
    return scaled.astype(np.bool_)


def colour_of(number: int) -> tuple[int, int, int]:
    """Return the RGB colour of an object, the same on every page."""
    red, green, blue = colorsys.hls_to_rgb((number * GOLDEN_ANGLE) % 1.0, 0.56, 0.7)
    return round(red * 255), round(green * 255), round(blue * 255)
