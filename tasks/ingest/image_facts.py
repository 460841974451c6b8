"""What `images` says about one image: decoded once, measured, and let go.

The bytes are stored as the source gave them; width and height are those of the upright picture.
"""

from dataclasses import dataclass
from typing import Any

from infra.images.decode import MAX_BYTES, MAX_PIXELS, ImageHeader, ImageProblem, decode
from infra.images.pixels import phash256, pixel_sha
from sightline.errors import Failure
from sightline.ids import image_id
from tasks.ingest.folder import printable
from tasks.ingest.source import LoadedImage, Origin, Problem, Statement


@dataclass(frozen=True, slots=True)
class ImageLimits:
    """What an image may be; part of the recipe.

    Attributes:
        max_pixels: most pixels, checked before decoding.
        max_bytes: longest file.
        min_side: shortest side in pixels.
    """

    max_pixels: int = MAX_PIXELS
    max_bytes: int = MAX_BYTES
    min_side: int = 1


@dataclass(frozen=True, slots=True)
class ImageFacts:
    """A decodable image and what was measured on it."""

    image_id: str
    data: bytes
    header: ImageHeader
    pixel_sha: str
    phash: str
    origin: Origin | None = None

    @property
    def size(self) -> tuple[int, int]:
        """Return width and height of the upright picture."""
        return self.header.width, self.header.height

    @property
    def stored_size(self) -> tuple[int, int]:
        """Return width and height before EXIF rotation."""
        is_turned = self.header.orientation >= 5  # noqa: PLR2004 - EXIF: 5..8 swap the axes
        return self.size[::-1] if is_turned else self.size


def measure(image: LoadedImage, limits: ImageLimits) -> ImageFacts | Problem:
    """Return the facts of a loaded image, or why it cannot be used."""
    if image.problem is not None:
        return image.problem
    found_id = image_id(image.data)
    if image.ref.image_id not in {None, found_id}:
        detail = "the image changed between listing and reading; the next build reads it anew"
        return Problem(Failure.IMAGE_UNREADABLE, detail)
    try:
        decoded = decode(
            image.data,
            max_pixels=limits.max_pixels,
            max_bytes=limits.max_bytes,
            min_side=limits.min_side,
        )
    except ImageProblem as exc:
        return Problem(exc.code, exc.detail)
    rgb = decoded.rgb
    return ImageFacts(
        found_id, image.data, decoded.header, pixel_sha(rgb), phash256(rgb), image.origin
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
