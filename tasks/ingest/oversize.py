"""Pictures with more pixels than the recipe allows: refused, shrunk, or cut into tiles (ADR 0016).

What is stored then is made here, from bytes that are not stored; each made image says in `origin`
which file and which region of it it shows, and carries the same in a comment, so that two blank
tiles stay two images.  Only one such picture is decoded at a time.
"""

import threading
from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from infra.images.decode import ImageProblem, decode
from infra.images.large import LOSSY_FORMATS, RGB, LargePicture, open_large
from infra.images.note import with_note
from infra.images.pixels import BoxPx, encode_jpeg, encode_png, phash256, pixel_sha
from sightline.errors import Failure
from sightline.ids import image_id
from tasks.ingest.image_facts import ImageFacts, ImageLimits, Oversize, changed, measure
from tasks.ingest.source import LoadedImage, Origin, Problem

JPEG_QUALITY: Final = 95
MAX_JPEG_SIDE: Final = 65_500
"""libjpeg's limit."""
MAX_TILES: Final = 4096

_ONE_AT_A_TIME: Final = threading.Lock()
"""A process has one memory: 500 megapixels take 1.5 to 2 GB while they are cut."""


def measured(image: LoadedImage, limits: ImageLimits) -> tuple[ImageFacts, ...] | Problem:
    """Return the facts of the images to store for `image`, tiles by rows, or why there are none."""
    if limits.oversize is Oversize.REJECT or image.problem is not None:
        return _alone(measure(image, limits))
    try:
        picture = open_large(
            image.data, max_pixels=limits.oversize_max_pixels, max_bytes=limits.max_bytes
        )
        if picture.header.width * picture.header.height <= limits.max_pixels:
            return _alone(measure(image, limits))
        return changed(image) or _made(picture, image, limits)
    except ImageProblem as exc:
        return Problem(exc.code, exc.detail)


def tile_boxes(width: int, height: int, side: int, overlap: int) -> list[BoxPx]:
    """Return regions of equal size that cover the picture, by rows.

    Args:
        width: of the picture, px.
        height: of the picture, px.
        side: of a tile, px; a picture that is smaller in one direction has tiles as small.
        overlap: px that neighbours share at least.
    """
    columns, rows = _starts(width, side, overlap), _starts(height, side, overlap)
    return [(x, y, min(x + side, width), min(y + side, height)) for y in rows for x in columns]


def _starts(length: int, side: int, overlap: int) -> list[int]:
    if length <= side:
        return [0]
    n = -(-(length - overlap) // (side - overlap))
    return [(length - side) * i // (n - 1) for i in range(n)]


def _alone(found: ImageFacts | Problem) -> tuple[ImageFacts, ...] | Problem:
    return found if isinstance(found, Problem) else (found,)


def _made(
    picture: LargePicture, image: LoadedImage, limits: ImageLimits
) -> tuple[ImageFacts, ...] | Problem:
    if min(picture.size) < limits.min_side:
        detail = f"expected sides of at least {limits.min_side} px, found {picture.size}"
        return Problem(Failure.IMAGE_TOO_SMALL, detail)
    boxes = [(0, 0, *picture.size)]
    if limits.oversize is Oversize.TILES:
        boxes = tile_boxes(*picture.size, limits.tile_px, limits.tile_overlap_px)
    if len(boxes) > MAX_TILES:
        detail = f"expected at most {MAX_TILES} tiles, {picture.size} needs {len(boxes)}"
        return Problem(Failure.IMAGE_TOO_LARGE, detail)
    sha = image_id(image.data)
    with _ONE_AT_A_TIME:
        shown = _pixels(picture, boxes, limits)
        return tuple(
            _facts(_encoded(rgb, picture), picture, _origin(image, sha, picture, box))
            for rgb, box in zip(shown, boxes, strict=True)
        )


def _pixels(picture: LargePicture, boxes: list[BoxPx], limits: ImageLimits) -> Iterator[RGB]:
    if limits.oversize is Oversize.SHRINK:
        return iter([picture.shrunk(limits.max_pixels)])
    return picture.regions(boxes)


def _origin(image: LoadedImage, sha: str, picture: LargePicture, box: BoxPx) -> Origin:
    """Return where the pixels come from; a frame of a video stays a frame of it."""
    if image.origin is not None:
        return replace(image.origin, box=box)
    return Origin(sha, *picture.size, box)


def _encoded(rgb: RGB, picture: LargePicture) -> bytes:
    """Return a photo as JPEG and anything lossless as PNG."""
    is_photo = picture.header.format in LOSSY_FORMATS and max(rgb.shape[:2]) <= MAX_JPEG_SIDE
    return encode_jpeg(rgb, JPEG_QUALITY) if is_photo else encode_png(rgb)


def _facts(data: bytes, picture: LargePicture, origin: Origin) -> ImageFacts:
    box = ",".join(str(side) for side in origin.box)
    at = "" if origin.time_s is None else f" at {origin.time_s!r} s"
    stored = with_note(data, f"region {box} of the file with sha256 {origin.sha256}{at}")
    decoded = decode(stored, max_bytes=len(stored))
    rgb = decoded.rgb
    return ImageFacts(
        image_id(stored),
        stored,
        decoded.header,
        pixel_sha(rgb),
        phash256(rgb),
        given=picture.header,
        origin=origin,
    )
