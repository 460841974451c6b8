"""From encoded bytes to upright 8-bit RGB, or a typed reason why not.

Headers are read first, so that a bomb is refused before it is unpacked.  The rules that are easy
to get wrong: 16-bit grey is scaled by its own white (Pillow's `convert` clips it to white),
transparency lies on white, EXIF rotation is applied here and nowhere else, an animation gives its
first frame, and damaged or truncated data is an error, never half a picture
(see `infra.images.jpeg`).
"""

import io
import struct
import zlib
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Final, TypeVar

import numpy as np
import numpy.typing as npt
from PIL import ExifTags, Image, UnidentifiedImageError

from infra.images.jpeg import JpegDamagedError, JpegUnsupportedError, decode_strict
from infra.images.pixels import luma
from sightline.errors import Failure, clip_detail

RGB = npt.NDArray[np.uint8]
_T = TypeVar("_T")

MAX_PIXELS: Final = 89_478_485
"""Default limit: where Pillow starts to warn. It refuses twice as many, whatever is asked here."""
MAX_BYTES: Final = 100_000_000

FORMATS: Final = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "PPM", "AVIF", "JPEG2000")
"""Decoders that may see foreign bytes; none starts another program, as EPS does. JPEG holds MPO."""

MEDIA_TYPES: Final = {
    "jpeg": "image/jpeg",
    "mpo": "image/jpeg",
    "png": "image/png",
    "webp": "image/webp",
    "gif": "image/gif",
    "bmp": "image/bmp",
    "tiff": "image/tiff",
    "ppm": "image/x-portable-anymap",
    "avif": "image/avif",
    "jpeg2000": "image/jp2",
}
"""Media type by `ImageHeader.format`."""

_FOREIGN: Final = {
    b"%!PS": "EPS",
    b"\xc5\xd0\xd3\xc6": "EPS",
    b"%PDF": "PDF",
    b"8BPS": "PSD",
    b"\x00\x00\x01\x00": "ICO",
    b"<svg": "SVG",
    b"<?xml": "SVG",
}
"""First bytes of real image formats that are not decoded here."""

_DECODER_ERRORS: Final = (
    OSError, ValueError, SyntaxError, EOFError, TypeError, LookupError, ArithmeticError,
    AttributeError, RuntimeError, MemoryError, struct.error, zlib.error,
)  # fmt: skip
"""What Pillow's plugins raise on hostile bytes (found by truncating and flipping real files)."""

_GREY16_MODES: Final = frozenset({"I;16", "I;16L", "I;16B", "I;16N"})
_TIFF_BITS_PER_SAMPLE: Final = 258
_PNG_SIGNATURE_BYTES: Final = 8
_JPEG_FORMATS: Final = frozenset({"jpeg", "mpo"})
_REDUCTIONS: Final = (8, 4, 2)


class ImageProblem(Exception):  # noqa: N818 - a verdict on one row, not a fault of the program
    """One image cannot be used; `code` and `detail` go into `failures`."""

    def __init__(self, code: Failure, detail: str) -> None:
        super().__init__(code, detail)
        self.code = code
        self.detail = clip_detail(detail)


@dataclass(frozen=True, slots=True)
class ImageHeader:
    """What the header says.

    Attributes:
        format: by content, lower case: jpeg, mpo, png, webp, gif, bmp, tiff, ppm, avif, jpeg2000.
        width: pixels after EXIF rotation.
        height: pixels after EXIF rotation.
        n_frames: frames or pages in the file; only the first is decoded.
        mode: Pillow's name of the stored pixel layout.
        orientation: EXIF orientation, 1 (upright) to 8.
    """

    format: str
    width: int
    height: int
    n_frames: int
    mode: str
    orientation: int


@dataclass(frozen=True, slots=True)
class DecodedImage:
    """Pixels and the header they came with; `rgb` is (H, W, 3) uint8, upright, on white."""

    rgb: RGB
    header: ImageHeader


def inspect_header(data: bytes) -> ImageHeader:
    """Return the header without decoding pixels.

    Raises:
        ImageProblem: unreadable, unsupported, or of bomb size (`IMAGE_TOO_LARGE`).
    """
    return guarded(lambda: header_of(open_image(data), data))


def decode(
    data: bytes, *, max_pixels: int = MAX_PIXELS, max_bytes: int = MAX_BYTES, min_side: int = 1
) -> DecodedImage:
    """Return the first frame as upright RGB.

    Args:
        data: the encoded file.
        max_pixels: most pixels the header may declare; checked before decoding.
        max_bytes: longest file.
        min_side: shortest side allowed, in pixels.

    Raises:
        ImageProblem: with the code for `failures`.
    """
    check_length(data, max_bytes)
    return guarded(lambda: _decode(data, max_pixels, min_side))


def decode_luma(
    data: bytes, keep_side: int, *, max_pixels: int = MAX_PIXELS, max_bytes: int = MAX_BYTES
) -> RGB:
    """Return (H, W) luma of the upright picture, perhaps reduced: enough for hashes.

    A JPEG is reduced while it is decoded to the smallest of 1/1, 1/2, 1/4 and 1/8 with both sides
    at least `keep_side` (the steps between them are slower than no reduction); every other format
    comes whole.  The size depends on the bytes alone.

    Args:
        data: the encoded file.
        keep_side: pixels that the shorter side keeps, if it has them.
        max_pixels: most pixels the header may declare; checked before decoding.
        max_bytes: longest file.

    Raises:
        ImageProblem: with the code for `failures`, the same that `decode` gives.
    """
    check_length(data, max_bytes)
    return guarded(lambda: _decode_luma(data, max_pixels, keep_side))


def _decode(data: bytes, max_pixels: int, min_side: int) -> DecodedImage:
    image = open_image(data)
    header = header_of(image, data)
    _check_size(header, max_pixels, min_side)
    stored = _jpeg_rgb(image, data) if header.format in _JPEG_FORMATS else stored_rgb(image)
    return DecodedImage(upright(stored, header.orientation), header)


def _decode_luma(data: bytes, max_pixels: int, keep_side: int) -> RGB:
    image = open_image(data)
    header = header_of(image, data)
    _check_size(header, max_pixels, 1)
    if header.format in _JPEG_FORMATS and header.mode in {"L", "RGB"}:
        least = _reduced_size(image.size, keep_side)
        with suppress(JpegUnsupportedError):
            return upright(decode_strict(data, least, wants_luma=True), header.orientation)
    stored = _jpeg_rgb(image, data) if header.format in _JPEG_FORMATS else stored_rgb(image)
    return luma(upright(stored, header.orientation))


def check_length(data: bytes, max_bytes: int) -> None:
    """Refuse a file of more than `max_bytes`.

    Raises:
        ImageProblem: with `IMAGE_TOO_LARGE`.
    """
    if len(data) > max_bytes:
        detail = f"expected at most {max_bytes} bytes, found {len(data)}"
        raise ImageProblem(Failure.IMAGE_TOO_LARGE, detail)


def _check_size(header: ImageHeader, max_pixels: int, min_side: int) -> None:
    size = f"found {header.width} x {header.height}"
    if header.width * header.height > max_pixels:
        detail = f"expected at most {max_pixels} pixels, {size}"
        raise ImageProblem(Failure.IMAGE_TOO_LARGE, detail)
    if min(header.width, header.height) < min_side:
        detail = f"expected sides of at least {min_side} px, {size}"
        raise ImageProblem(Failure.IMAGE_TOO_SMALL, detail)


def upright(stored: RGB, orientation: int) -> RGB:
    """Return (H, W, 3) or (H, W) pixels turned as EXIF orientation 1..8 asks; contiguous."""
    turned = stored.swapaxes(0, 1) if orientation >= 5 else stored  # noqa: PLR2004 - EXIF
    if orientation in {2, 3, 6, 7}:
        turned = turned[:, ::-1]
    if orientation in {3, 4, 7, 8}:
        turned = turned[::-1]
    return np.ascontiguousarray(turned)


def guarded(read: Callable[[], _T]) -> _T:
    """Return what `read` gives; whatever a decoder raises becomes an `ImageProblem`."""
    try:
        return read()
    except Image.DecompressionBombError as exc:
        raise ImageProblem(Failure.IMAGE_TOO_LARGE, str(exc)) from exc
    except JpegDamagedError as exc:
        raise ImageProblem(_damage_code(str(exc)), str(exc)) from exc
    except _DECODER_ERRORS as exc:
        raise ImageProblem(_damage_code(str(exc)), f"{type(exc).__name__}: {exc}") from exc


def _damage_code(message: str) -> Failure:
    ends_early = any(word in message.lower() for word in ("truncated", "premature end"))
    return Failure.IMAGE_TRUNCATED if ends_early else Failure.IMAGE_UNREADABLE


def open_image(data: bytes) -> Image.Image:
    """Return the picture with its header read, by content and from `FORMATS` only.

    Raises:
        ImageProblem: no decoder recognises it.
    """
    try:
        return Image.open(io.BytesIO(data), formats=FORMATS)
    except UnidentifiedImageError as exc:
        known = _foreign_format(data)
        if known is not None:
            detail = f"expected one of {', '.join(MEDIA_TYPES)}, found {known}"
            raise ImageProblem(Failure.IMAGE_UNSUPPORTED, detail) from exc
        detail = f"no decoder recognises the {len(data)} bytes, which begin with {data[:8]!r}"
        raise ImageProblem(Failure.IMAGE_UNREADABLE, detail) from exc


def _foreign_format(data: bytes) -> str | None:
    if data[4:8] == b"ftyp" and data[8:12] in {b"heic", b"heix", b"mif1", b"hevc", b"msf1"}:
        return "HEIF"
    return next((name for magic, name in _FOREIGN.items() if data.startswith(magic)), None)


def header_of(image: Image.Image, data: bytes) -> ImageHeader:
    """Return what the header says, sides as they are after EXIF rotation."""
    orientation = _orientation(image, data)
    width, height = image.size if orientation < 5 else image.size[::-1]  # noqa: PLR2004 - EXIF
    return ImageHeader(
        format=(image.format or "").lower(),
        width=width,
        height=height,
        n_frames=int(getattr(image, "n_frames", 1)),
        mode=image.mode,
        orientation=orientation,
    )


def _orientation(image: Image.Image, data: bytes) -> int:
    """Return EXIF orientation 1..8; broken EXIF means upright, as in every viewer."""
    try:
        if image.format == "PNG" and "exif" not in image.info:
            exif = Image.Exif()  # image.getexif() would decode all pixels to find a late chunk
            exif.load(_png_exif(data))
        else:
            exif = image.getexif()
        value = exif.get(ExifTags.Base.Orientation, 1)
    except _DECODER_ERRORS:
        return 1
    return value if isinstance(value, int) and 1 <= value <= 8 else 1  # noqa: PLR2004 - EXIF


def _png_exif(data: bytes) -> bytes:
    at = _PNG_SIGNATURE_BYTES
    while at + 8 <= len(data):
        length = int.from_bytes(data[at : at + 4], "big")
        if data[at + 4 : at + 8] == b"eXIf":
            return b"Exif\x00\x00" + data[at + 8 : at + 8 + length]
        at += 12 + length
    return b""


def _jpeg_rgb(image: Image.Image, data: bytes) -> RGB:
    try:
        return decode_strict(data)
    except JpegUnsupportedError:
        return stored_rgb(image)


def _reduced_size(size: tuple[int, int], keep_side: int) -> tuple[int, int]:
    """Return the stored width and height to ask for; zeros ask for all pixels."""
    by = next((by for by in _REDUCTIONS if min(size) >= by * keep_side), 1)
    return (0, 0) if by == 1 else (-(-size[0] // by), -(-size[1] // by))


def stored_rgb(image: Image.Image) -> RGB:
    """Return the first frame's pixels as stored; 16-bit grey by its own white, alpha on white."""
    image.load()
    if image.mode in _GREY16_MODES or (image.mode == "I" and image.format == "PPM"):
        return _grey16_rgb(image)
    if image.mode in {"I", "F"}:
        detail = f"mode {image.mode}: 32-bit samples do not say which value is white"
        raise ImageProblem(Failure.IMAGE_UNSUPPORTED, detail)
    if image.has_transparency_data:
        over = image.convert("RGBA")
        white = Image.new("RGBA", over.size, "white")
        image = Image.alpha_composite(white, over)
    return np.asarray(image.convert("RGB"))


def _grey16_rgb(image: Image.Image) -> RGB:
    bits = getattr(image, "tag_v2", {}).get(_TIFF_BITS_PER_SAMPLE, (16,))[0]
    values = np.asarray(image).astype(np.float64) * (255.0 / (2**bits - 1))
    grey = np.clip(np.rint(values), 0, 255).astype(np.uint8)
    return np.repeat(grey[:, :, None], 3, axis=2)
