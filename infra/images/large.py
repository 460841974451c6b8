"""Pictures with more pixels than a network or a person looks at: shrunk, or cut into regions.

A JPEG is shrunk while it is decoded (libjpeg scales in the frequency domain by eighths); every
other format is decoded whole and averaged strip by strip, so beyond the picture itself (1 to 4
bytes a pixel, 3 for a JPEG) memory is small.  Pillow refuses more than 179 megapixels whatever is
asked; what is opened here has its own limit, and its size is known before a pixel is unpacked.
"""

import io
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
from PIL import (
    BmpImagePlugin,
    Image,
    Jpeg2KImagePlugin,
    JpegImagePlugin,
    PngImagePlugin,
    PpmImagePlugin,
    TiffImagePlugin,
)

from infra.images.decode import (
    MAX_BYTES,
    ImageHeader,
    ImageProblem,
    check_length,
    guarded,
    header_of,
    open_image,
    stored_rgb,
    upright,
)
from infra.images.jpeg import JpegUnsupportedError, decode_strict
from infra.images.pixels import BoxPx, resize_bicubic
from sightline.errors import Failure

RGB = npt.NDArray[np.uint8]

PLUGINS: Final[dict[bytes, Callable[[io.BytesIO], Image.Image]]] = {
    b"\xff\xd8\xff": JpegImagePlugin.JpegImageFile,
    b"\x89PNG": PngImagePlugin.PngImageFile,
    b"II*\x00": TiffImagePlugin.TiffImageFile,
    b"MM\x00*": TiffImagePlugin.TiffImageFile,
    b"BM": BmpImagePlugin.BmpImageFile,
    b"P5": PpmImagePlugin.PpmImageFile,
    b"P6": PpmImagePlugin.PpmImageFile,
    b"\x00\x00\x00\x0cjP": Jpeg2KImagePlugin.Jpeg2KImageFile,
}
"""Decoders by first bytes; named ones do not ask Pillow's limit, which is one for the process."""

JPEG_FORMATS: Final = frozenset({"jpeg", "mpo"})
LOSSY_FORMATS: Final = JPEG_FORMATS | {"webp", "avif", "jpeg2000"}
STRIP_PIXELS: Final = 4_000_000


@dataclass(frozen=True, slots=True)
class LargePicture:
    """An encoded picture whose header was read; nothing is decoded yet."""

    data: bytes
    header: ImageHeader

    @property
    def size(self) -> tuple[int, int]:
        """Return width and height of the upright picture, px."""
        return self.header.width, self.header.height

    @property
    def stored_size(self) -> tuple[int, int]:
        """Return width and height before EXIF rotation, px."""
        is_turned = self.header.orientation >= 5  # noqa: PLR2004 - EXIF: 5..8 swap the axes
        return self.size[::-1] if is_turned else self.size

    def shrunk(self, max_pixels: int) -> RGB:
        """Return the upright picture at the largest size of its shape within `max_pixels`.

        Raises:
            ImageProblem: damaged or unsupported data.
        """
        return guarded(lambda: upright(self._shrunk(max_pixels), self.header.orientation))

    def regions(self, boxes: Sequence[BoxPx]) -> Iterator[RGB]:
        """Yield upright regions, one decoding for all.

        Args:
            boxes: px of the upright picture.

        Raises:
            ImageProblem: damaged or unsupported data.
        """
        cut = guarded(self._cutter)
        for box in boxes:
            stored = stored_box(box, self.header.orientation, self.size)
            yield upright(guarded(lambda s=stored: cut(s)), self.header.orientation)  # type: ignore[misc]

    def _shrunk(self, max_pixels: int) -> RGB:
        width, height = shrunk_size(*self.stored_size, max_pixels)
        if self.header.format in JPEG_FORMATS:
            try:
                return resize_bicubic(decode_strict(self.data, (width, height)), width, height)
            except JpegUnsupportedError:
                pass
        by = max(1, min(self.stored_size[0] // width, self.stored_size[1] // height))
        return resize_bicubic(_averaged(self._loaded(), by), width, height)

    def _cutter(self) -> Callable[[BoxPx], RGB]:
        """Return what cuts a region out of the stored pixels."""
        if self.header.format in JPEG_FORMATS:
            try:
                pixels = decode_strict(self.data)
            except JpegUnsupportedError:
                pass
            else:
                return lambda box: pixels[box[1] : box[3], box[0] : box[2]]
        image = self._loaded()
        return lambda box: _cut(image, box)

    def _loaded(self) -> Image.Image:
        image = _open(self.data)
        image.load()
        return image


def open_large(data: bytes, *, max_pixels: int, max_bytes: int = MAX_BYTES) -> LargePicture:
    """Return the picture with its header.

    Args:
        data: the encoded file.
        max_pixels: most pixels the header may declare.
        max_bytes: longest file.

    Raises:
        ImageProblem: unreadable, unsupported, or too large.
    """
    check_length(data, max_bytes)
    header = guarded(lambda: header_of(_open(data), data))
    if header.width * header.height > max_pixels:
        detail = f"expected at most {max_pixels} pixels, found {header.width} x {header.height}"
        raise ImageProblem(Failure.IMAGE_TOO_LARGE, detail)
    return LargePicture(data, header)


def shrunk_size(width: int, height: int, max_pixels: int) -> tuple[int, int]:
    """Return the largest sides of the same shape, in whole px, with at most `max_pixels`."""
    scale = math.sqrt(max_pixels / (width * height))
    if scale >= 1:
        return width, height
    across, down = max(1, int(width * scale)), max(1, int(height * scale))
    if across > down:
        return min(across, max_pixels // down), down
    return across, min(down, max_pixels // across)


def stored_box(box: BoxPx, orientation: int, size: tuple[int, int]) -> BoxPx:
    """Return a region of the upright picture of `size` as a region of the stored pixels."""
    x0, y0, x1, y1 = box
    if orientation in {2, 3, 6, 7}:
        x0, x1 = size[0] - x1, size[0] - x0
    if orientation in {3, 4, 7, 8}:
        y0, y1 = size[1] - y1, size[1] - y0
    return (y0, x0, y1, x1) if orientation >= 5 else (x0, y0, x1, y1)  # noqa: PLR2004 - EXIF


def _open(data: bytes) -> Image.Image:
    try:
        return open_image(data)
    except Image.DecompressionBombError:
        plugin = next((p for magic, p in PLUGINS.items() if data.startswith(magic)), None)
        if plugin is None:
            raise
        return plugin(io.BytesIO(data))


def _averaged(image: Image.Image, by: int) -> RGB:
    """Return the pixels averaged over squares of `by`, decoded to RGB a strip at a time."""
    width, height = image.size
    rows = by * max(1, STRIP_PIXELS // (width * by))
    strips = [
        np.asarray(Image.fromarray(_cut(image, (0, y, width, min(y + rows, height)))).reduce(by))
        for y in range(0, height, rows)
    ]
    return np.concatenate(strips)


def _cut(image: Image.Image, box: BoxPx) -> RGB:
    """Return a region as RGB by the rules for whole pictures, which look at the file's tags."""
    part = image.crop(box)
    part.format = image.format
    if hasattr(image, "tag_v2"):
        part.tag_v2 = image.tag_v2  # type: ignore[attr-defined]
    return stored_rgb(part)
