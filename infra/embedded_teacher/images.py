"""The images of a request: lifted out of its bytes, measured, and looked at for the probe.

Base64 is most of a request, and reading it as JSON costs more than all else together, so data URLs
are cut out of the body first and a short mark stands in their place.  The mark holds their sha256:
it is the image's identity, and text that happens to look like a data URL keeps its own.
"""

import base64
import binascii
import hashlib
import io
from dataclasses import dataclass
from typing import Final

from PIL import Image, UnidentifiedImageError

from infra.teacher.probe_image import SQUARES, nearest_name

_OPENING: Final = b'"data:image/'
_CODING: Final = b";base64,"
_MARK: Final = "data:lifted,"
_MAX_HEAD: Final = 64
_HEADER_CHARS: Final = 16_384
"""Base64 that holds size and format of all but images with long comments; a multiple of four."""

_BROKEN: Final = (binascii.Error, UnidentifiedImageError, OSError, ValueError, SyntaxError)


@dataclass(frozen=True, slots=True)
class SentImage:
    """An image as it was sent.

    Attributes:
        sha256: of its data URL.
        encoded: its bytes as base64.
        width: px.
        height: px.
    """

    sha256: bytes
    encoded: bytes
    width: int
    height: int

    @property
    def tokens(self) -> int:
        """Return what the image counts in a prompt."""
        return image_tokens(self.width, self.height)

    def colours_in_row(self) -> list[str]:
        """Return the names of the colours at the middle of four equal squares, left to right."""
        with Image.open(io.BytesIO(base64.b64decode(self.encoded))) as image:
            row = image.convert("RGB").resize((2 * SQUARES + 1, 3), Image.Resampling.NEAREST)
        pixels = [row.getpixel((2 * n + 1, 1)) for n in range(SQUARES)]
        return [nearest_name(pixel) for pixel in pixels if isinstance(pixel, tuple)]


def lift_images(body: bytes) -> tuple[bytes, dict[str, bytes]]:
    """Return the body with marks for its data URLs, and the data URL of each mark."""
    kept: list[bytes] = []
    lifted: dict[str, bytes] = {}
    done = at = 0
    while (quote := body.find(_OPENING, at)) >= 0:
        at = end = body.find(b'"', quote + 1)
        if end < 0:
            break
        if body.find(_CODING, quote, quote + _MAX_HEAD) > 0:
            url = body[quote + 1 : end]
            mark = f"{_MARK}{hashlib.sha256(url).hexdigest()}"
            kept += [body[done : quote + 1], mark.encode()]
            lifted[mark], done = url, end
    return (b"".join([*kept, body[done:]]), lifted) if lifted else (body, lifted)


def sent_image(url: str, lifted: dict[str, bytes]) -> SentImage | None:
    """Return the image that an `image_url` holds, null if it is none or cannot be read."""
    whole = lifted.get(url) or url.encode("utf-8", "surrogatepass")
    head, coding, encoded = whole.partition(_CODING)
    if not head.startswith(b"data:") or not coding:
        return None
    size = _size(encoded[:_HEADER_CHARS]) or _size(encoded)
    if size is None:
        return None
    is_lifted = url in lifted
    digest = bytes.fromhex(url.removeprefix(_MARK)) if is_lifted else hashlib.sha256(whole).digest()
    return SentImage(digest, encoded, *size)


def image_tokens(width: int, height: int) -> int:
    """Return what an image counts: 85 + 170 per 512 px tile after scaling (gpt-4o's rule)."""
    fit = min(1.0, 2048 / max(width, height))
    fit *= min(1.0, 768 / max(1.0, min(width, height) * fit))
    tiles = -(-max(1, round(width * fit)) // 512) * -(-max(1, round(height * fit)) // 512)
    return 85 + 170 * tiles


def _size(encoded: bytes) -> tuple[int, int] | None:
    try:
        with Image.open(io.BytesIO(base64.b64decode(encoded, validate=True))) as image:
            return image.size
    except (*_BROKEN, Image.DecompressionBombError):
        return None
