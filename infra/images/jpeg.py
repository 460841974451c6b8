"""Strict JPEG decoding: a picture comes out whole or not at all.

Pillow and OpenCV paint damaged entropy data as grey or shifted blocks and say nothing; libjpeg's
warnings, which `simplejpeg` turns into errors, tell.  Warnings about what stands *before* the
first scan (junk between markers, broken profiles) harm no pixel, so after a first refusal the
header is rebuilt without them and the data is decoded strictly once more.
"""

from typing import Final

import numpy as np
import numpy.typing as npt
import simplejpeg

RGB = npt.NDArray[np.uint8]

_SOI: Final = b"\xff\xd8"
_SOS: Final = 0xDA
_APP_FIRST, _APP_LAST, _COMMENT = 0xE0, 0xEF, 0xFE
_KEPT_APPS: Final = frozenset({0xE0, 0xEE})
"""JFIF and Adobe: they decide the colour space; every other APPn segment is metadata."""
_DAMAGE: Final = ("corrupt jpeg data", "premature end", "bogus", "out of range")
"""Words of libjpeg's warnings about the entropy data itself."""


class JpegDamagedError(ValueError):
    """The entropy data is damaged or ends early; the message is libjpeg's."""


class JpegUnsupportedError(ValueError):
    """The strict decoder does not read this kind of JPEG; another decoder may."""


def decode_strict(data: bytes, least: tuple[int, int] = (0, 0), *, wants_luma: bool = False) -> RGB:
    """Return the pixels as stored, (H, W, 3) or (H, W), before any EXIF rotation.

    Args:
        data: the encoded file.
        least: width and height in px; the picture comes out at the smallest size, in steps of
            1/8 of its own, that is not below them.  Zeros: at its own size.
        wants_luma: return the luma alone; colours are not even unpacked.

    Raises:
        JpegDamagedError: the data is truncated or corrupt.
        JpegUnsupportedError: this decoder cannot read it (arithmetic coding, 12 bit, ...).
    """
    try:
        return _decode(data, least, wants_luma=wants_luma)
    except ValueError:
        clean = without_metadata(data)
    if clean is None:
        msg = "no scan data after the header"
        raise JpegDamagedError(msg)
    try:
        return _decode(clean, least, wants_luma=wants_luma)
    except ValueError as exc:
        damaged = any(words in str(exc).lower() for words in _DAMAGE)
        raise (JpegDamagedError if damaged else JpegUnsupportedError)(str(exc)) from exc


def _decode(data: bytes, least: tuple[int, int], *, wants_luma: bool) -> RGB:
    space = "GRAY" if wants_luma else "RGB"
    pixels: RGB = simplejpeg.decode_jpeg(
        data, colorspace=space, strict=True, min_width=least[0], min_height=least[1]
    )
    return pixels[:, :, 0] if wants_luma else pixels


def without_metadata(data: bytes) -> bytes | None:
    """Return the JPEG with only the segments that decide its pixels, or None without a scan."""
    kept = [_SOI]
    at = data.find(_SOI) + len(_SOI)
    while (at := data.find(b"\xff", at)) >= 0 and at + 4 <= len(data):
        marker = data[at + 1]
        if marker == _SOS:
            return b"".join([*kept, data[at:]])
        if marker in {0x00, 0x01, 0xFF} or 0xD0 <= marker <= 0xD9:  # noqa: PLR2004 - no length
            at += 1 if marker == 0xFF else 2  # noqa: PLR2004 - fill byte
            continue
        end = at + 2 + int.from_bytes(data[at + 2 : at + 4], "big")
        if not _is_metadata(marker):
            kept.append(data[at:end])
        at = end
    return None


def _is_metadata(marker: int) -> bool:
    is_app = _APP_FIRST <= marker <= _APP_LAST and marker not in _KEPT_APPS
    return is_app or marker == _COMMENT
