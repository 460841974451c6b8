"""A line of text inside an encoded picture: where bytes that were made come from.

Two frames of a still shot have the same pixels, and the lake stores no bytes twice; the note keeps
them two images, which exact deduplication finds by their pixels.
"""

import zlib
from typing import Final

PNG_HEADER_BYTES: Final = 33
"""Signature and IHDR chunk; other chunks may follow."""
JPEG_START: Final = b"\xff\xd8"
JFIF_MARKER: Final = b"\xff\xe0"
COMMENT_MARKER: Final = b"\xff\xfe"


def with_note(data: bytes, text: str) -> bytes:
    """Return the PNG or JPEG with `text`, which must be ASCII, in a comment; pixels are the same.

    Raises:
        ValueError: neither PNG nor JPEG.
    """
    raw = text.encode("ascii")
    if data.startswith(b"\x89PNG"):
        body = b"tEXtComment\x00" + raw
        chunk = (len(body) - 4).to_bytes(4, "big") + body + zlib.crc32(body).to_bytes(4, "big")
        return data[:PNG_HEADER_BYTES] + chunk + data[PNG_HEADER_BYTES:]
    if not data.startswith(JPEG_START):
        msg = f"expected a PNG or a JPEG, found bytes that begin with {data[:4]!r}"
        raise ValueError(msg)
    at = 2
    if data[2:4] == JFIF_MARKER:  # JFIF: its segment stands right after the start
        at += 2 + int.from_bytes(data[4:6], "big")
    return data[:at] + COMMENT_MARKER + (len(raw) + 2).to_bytes(2, "big") + raw + data[at:]
