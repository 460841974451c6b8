"""What `images` says about one image: decoded once, measured, and let go.

The bytes are stored as the source gave them; width and height are those of the upright picture.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from infra.images.decode import MAX_BYTES, MAX_PIXELS, ImageHeader, ImageProblem, decode
from infra.images.pixels import phash256, pixel_sha
from sightline.errors import Failure, UsageError
from sightline.ids import image_id
from tasks.ingest.folder import printable
from tasks.ingest.source import LoadedImage, Origin, Problem, Statement

MIN_TILE_PX: Final = 64
OVERSIZE_MAX_PIXELS: Final = 500_000_000


class Oversize(StrEnum):
    """What becomes of a picture with more than `max_pixels`."""

    REJECT = "reject"
    SHRINK = "shrink"
    TILES = "tiles"


@dataclass(frozen=True, slots=True)
class ImageLimits:
    """What an image may be; part of the recipe.

    Attributes:
        max_pixels: most pixels, checked before decoding.
        max_bytes: longest file.
        min_side: shortest side in pixels.
        oversize: what becomes of a picture with more pixels: refused, stored shrunk to
            `max_pixels`, or stored as tiles.
        tile_px: side of a tile in pixels.
        tile_overlap_px: pixels that neighbouring tiles share at least.
        oversize_max_pixels: most pixels of a picture that is shrunk or cut; it is decoded in
            memory, at 3 to 6 bytes a pixel.
    """

    max_pixels: int = MAX_PIXELS
    max_bytes: int = MAX_BYTES
    min_side: int = 1
    oversize: Oversize = Oversize.REJECT
    tile_px: int = 2048
    tile_overlap_px: int = 256
    oversize_max_pixels: int = OVERSIZE_MAX_PIXELS

    def __post_init__(self) -> None:
        """Refuse tiles that cannot cover a picture, or would be refused themselves.

        Raises:
            UsageError: with what fits.
        """
        if self.oversize is not Oversize.TILES:
            return
        if self.tile_px < MIN_TILE_PX or self.tile_px**2 > self.max_pixels:
            msg = (
                f"images.tile_px must be at least {MIN_TILE_PX}, and its square at most "
                f"max_pixels = {self.max_pixels}; found {self.tile_px}"
            )
            raise UsageError(msg)
        if not 0 <= self.tile_overlap_px <= self.tile_px // 2:
            msg = (
                "images.tile_overlap_px must be from 0 to half of tile_px = "
                f"{self.tile_px}, found {self.tile_overlap_px}"
            )
            raise UsageError(msg)


@dataclass(frozen=True, slots=True)
class ImageFacts:
    """A decodable image and what was measured on it.

    Attributes:
        data: the bytes that are stored.
        header: of `data`.
        given: header of the picture that the source gave; the boxes of its rows are stated on it.
        origin: where `data` was made from, if it is not what the source gave.
    """

    image_id: str
    data: bytes
    header: ImageHeader
    pixel_sha: str
    phash: str
    given: ImageHeader
    origin: Origin | None = None

    @property
    def size(self) -> tuple[int, int]:
        """Return width and height of the upright picture that is stored."""
        return self.header.width, self.header.height

    @property
    def given_size(self) -> tuple[int, int]:
        """Return width and height of the upright picture that the source gave."""
        return self.given.width, self.given.height

    @property
    def unturned_size(self) -> tuple[int, int]:
        """Return width and height of what the source gave, before EXIF rotation."""
        is_turned = self.given.orientation >= 5  # noqa: PLR2004 - EXIF: 5..8 swap the axes
        return self.given_size[::-1] if is_turned else self.given_size

    @property
    def region(self) -> tuple[int, int, int, int]:
        """Return what of the given picture is stored, px."""
        return (0, 0, *self.given_size) if self.origin is None else self.origin.box


def changed(image: LoadedImage) -> Problem | None:
    """Return the problem of bytes that are not those that were listed."""
    if image.ref.image_id in {None, image_id(image.data)}:
        return None
    detail = "the image changed between listing and reading; the next build reads it anew"
    return Problem(Failure.IMAGE_UNREADABLE, detail)


def measure(image: LoadedImage, limits: ImageLimits) -> ImageFacts | Problem:
    """Return the facts of a loaded image, or why it cannot be used."""
    problem = image.problem or changed(image)
    if problem is not None:
        return problem
    try:
        decoded = decode(
            image.data,
            max_pixels=limits.max_pixels,
            max_bytes=limits.max_bytes,
            min_side=limits.min_side,
        )
    except ImageProblem as exc:
        return Problem(exc.code, exc.detail)
    rgb, header = decoded.rgb, decoded.header
    return ImageFacts(
        image_id(image.data),
        image.data,
        header,
        pixel_sha(rgb),
        phash256(rgb),
        given=header,
        origin=image.origin,
    )


def image_row(facts: ImageFacts, image: LoadedImage, statement: Statement) -> dict[str, Any]:
    """Return the row of `images`; `statement` is the first that brought the image."""
    return {
        "image_id": facts.image_id,
        "bytes": facts.data,
        "width": facts.header.width,
        "height": facts.header.height,
        "format": facts.header.format,
        "n_bytes": len(facts.data),
        "n_frames": facts.header.n_frames,
        "pixel_sha": facts.pixel_sha,
        "phash": facts.phash,
        "exif_orientation": facts.header.orientation,
        "source": statement.dataset,
        "source_key": printable(image.ref.name),
        "licence": statement.licence,
        **_origin_columns(facts.origin),
    }


def _origin_columns(origin: Origin | None) -> dict[str, Any]:
    if origin is None:
        return {}
    return {
        "origin_sha": origin.sha256,
        "origin_width": origin.width,
        "origin_height": origin.height,
        "origin_box": [float(side) for side in origin.box],
        "origin_time_s": origin.time_s,
    }
