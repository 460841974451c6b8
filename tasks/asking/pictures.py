"""Whole pictures as endpoints read them: the stored bytes where they can be, else a JPEG of them.

Bytes depend on nothing but the stored image, the size limit and what is covered, so a re-run shows,
and pays for, the same request.
"""

from infra.images.decode import MEDIA_TYPES, ImageHeader, decode, inspect_header
from infra.images.pixels import RGB, crop_box_px, encode_jpeg, thumbnail
from infra.teacher.types import ImagePart
from sightline.boxes import Box
from sightline.ids import image_id

SENT_AS_STORED = frozenset({"jpeg", "png", "webp"})
"""Formats every endpoint reads."""

COVER_GREY = 128


def is_sendable(header: ImageHeader, max_side_px: int) -> bool:
    """Return whether an image can be sent as it is stored."""
    return (
        header.format in SENT_AS_STORED
        and header.n_frames == 1
        and header.orientation == 1
        and max(header.width, header.height) <= max_side_px
    )


def whole_picture(stored_id: str, data: bytes, max_side_px: int) -> ImagePart:
    """Return the stored image, scaled down and re-encoded only if it must be.

    Raises:
        ImageProblem: it cannot be decoded.
    """
    header = inspect_header(data)
    if is_sendable(header, max_side_px):
        return ImagePart(stored_id, data, MEDIA_TYPES[header.format])
    return _jpeg(decode(data).rgb, max_side_px)


def covered_picture(data: bytes, box: Box, max_side_px: int) -> ImagePart:
    """Return the picture with `box`, in fractions of it, under a grey rectangle.

    Raises:
        ImageProblem: it cannot be decoded.
    """
    rgb = decode(data).rgb.copy()
    x0, y0, x1, y1 = crop_box_px(rgb.shape[1], rgb.shape[0], box)
    rgb[y0:y1, x0:x1] = COVER_GREY
    return _jpeg(rgb, max_side_px)


def _jpeg(rgb: RGB, max_side_px: int) -> ImagePart:
    data = encode_jpeg(thumbnail(rgb, max_side_px))
    return ImagePart(image_id(data), data, MEDIA_TYPES["jpeg"])
