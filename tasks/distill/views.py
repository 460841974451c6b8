"""The picture a teacher is shown: the stored original where it can be, else a crop of it.

A picture that differs from the stored original (cropped, turned upright, scaled down, of a format
endpoints do not read) is a picture of its own: it gets a row in `images` that names its parent and
region.  Its bytes depend on nothing but parent, region, size limit and label, so a re-run shows,
and pays for, the same request.  The label stands in the JPEG's comment: two questions, or two
teachers, that zoom to one region keep two pictures, and no key of `images` is written by two parts.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from infra.images.decode import MEDIA_TYPES, decode, inspect_header
from infra.images.pixels import crop, encode_jpeg, pixel_sha, thumbnail
from infra.teacher.types import ImagePart
from sightline.boxes import FULL_VIEW, Box
from sightline.ids import content_id, image_id
from tasks.asking.pictures import is_sendable
from tasks.distill.case import ChainCase

_START_OF_IMAGE = b"\xff\xd8"
_COMMENT = b"\xff\xfe"


class Original(Protocol):
    """A stored image with what its crops inherit, as `infra.images.shelf` gives it."""

    @property
    def data(self) -> bytes:
        """The bytes as stored."""
        ...

    @property
    def source(self) -> str:
        """The dataset that brought it."""
        ...

    @property
    def licence(self) -> str | None:
        """The licence the source states."""
        ...


@dataclass(frozen=True, slots=True)
class View:
    """What is sent, and its `images` row; null if it is the stored original itself."""

    part: ImagePart
    row: Mapping[str, Any] | None


@dataclass(frozen=True, slots=True)
class ViewCutter:
    """Makes views; safe to call from several threads if `load` is.

    Attributes:
        load: gives a stored image by its id, raising `ImageProblem` if there is none.
    """

    load: Callable[[str], Original]

    def __call__(self, case: ChainCase, view_box: Box) -> View:
        """Return the view of the case's image.

        Raises:
            ImageProblem: the image is not stored or cannot be decoded.
            ValueError: the case has no image.
        """
        if case.image_id is None:
            msg = f"sample {case.sample_id} names no image; such a sample is never asked about"
            raise ValueError(msg)
        original = self.load(case.image_id)
        header = inspect_header(original.data)
        if view_box == FULL_VIEW and is_sendable(header, case.params.max_view_px):
            media_type = MEDIA_TYPES[header.format]
            return View(ImagePart(case.image_id, original.data, media_type), None)
        return _cut(case, case.image_id, original, view_box)


def _cut(case: ChainCase, parent_id: str, original: Original, view_box: Box) -> View:
    rgb = thumbnail(crop(decode(original.data).rgb, view_box), case.params.max_view_px)
    label = content_id("view", parent_id, case.question, case.answer, case.params.name)
    data = labelled_jpeg(encode_jpeg(rgb), label)
    view_id = image_id(data)
    row = {
        "image_id": view_id,
        "bytes": data,
        "width": rgb.shape[1],
        "height": rgb.shape[0],
        "format": "jpeg",
        "n_bytes": len(data),
        "n_frames": 1,
        "pixel_sha": pixel_sha(decode(data).rgb),
        "exif_orientation": 1,
        "source": original.source,
        "licence": original.licence,
        "parent_image_id": parent_id,
        "crop_box": list(view_box),
    }
    return View(ImagePart(view_id, data, MEDIA_TYPES["jpeg"]), row)


def labelled_jpeg(data: bytes, label: str) -> bytes:
    """Return the JPEG with `label` as its first comment; the pixels stay the same."""
    text = label.encode()
    segment = _COMMENT + (len(text) + 2).to_bytes(2, "big") + text
    return _START_OF_IMAGE + segment + data.removeprefix(_START_OF_IMAGE)
