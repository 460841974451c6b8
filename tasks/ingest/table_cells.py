"""Images inside table cells: a path, a data URI, raw bytes, or the {bytes, path} of Hugging Face.

Which of these a value is follows from its type and never from trying.  Addresses on the web are
refused: fetching is not a source's work.  Text of a data URI is bounded before it is decoded.
"""

import base64
import binascii
import re
from collections.abc import Sequence
from typing import Any, Final

from sightline.errors import Failure
from sightline.ids import image_id
from tasks.ingest.fields import refuse
from tasks.ingest.source import Cell, ImageRef, RowRefusedError

DATA_URI: Final = re.compile(r"data:[\w.+/-]*(;[\w=.+-]+)*;base64,", re.ASCII)
MAX_HEADER_CHARS: Final = 200
SHOWN_NAME_CHARS: Final = 16


def cell_items(value: Any) -> list[Any]:
    """Return the images of a cell, in order; null holds none."""
    if value is None:
        return []
    return list(value) if isinstance(value, list) else [value]


def embedded_bytes(item: Any, max_bytes: int) -> bytes | None:
    """Return the image bytes that `item` holds, None if it names a file.

    Raises:
        RowRefusedError: too large, or no data URI that can be decoded.
    """
    if isinstance(item, dict) and item.get("bytes") is not None:
        item = item["bytes"]
    if isinstance(item, bytes):
        _refuse_large(len(item), max_bytes)
        return item
    if isinstance(item, str) and item.startswith("data:"):
        return _decoded(item, max_bytes)
    return None


def path_of(item: Any) -> str:
    """Return the file name that `item` holds.

    Raises:
        RowRefusedError: `item` holds neither bytes nor a name.
    """
    path = item.get("path") if isinstance(item, dict) else item
    if not isinstance(path, str) or not path:
        refuse("an image as path, data URI or bytes", item)
    return path


def embedded_ref(data: bytes, item: Any, place: tuple[int, int, int], number: int) -> ImageRef:
    """Return the reference to bytes in image `number` of the cell at `place`."""
    sha = image_id(data)
    path = item.get("path") if isinstance(item, dict) else None
    name = f"bytes {sha[:SHOWN_NAME_CHARS]}"
    if isinstance(path, str) and path.isprintable():
        name = path
    return ImageRef(name, sha, cell=Cell(*place, number))


def item_at(items: Sequence[Any], number: int) -> Any:
    """Return image `number` of a cell that was read again; None if it is gone."""
    return items[number] if number < len(items) else None


def _decoded(uri: str, max_bytes: int) -> bytes:
    header = DATA_URI.match(uri, 0, MAX_HEADER_CHARS)
    if header is None:
        refuse("a data URI in base64", uri)
    _refuse_large((len(uri) - header.end()) * 3 // 4, max_bytes)
    try:
        return base64.b64decode(uri[header.end() :], validate=True)
    except (binascii.Error, ValueError):
        refuse("a data URI in base64", uri)


def _refuse_large(n_bytes: int, max_bytes: int) -> None:
    if n_bytes > max_bytes:
        detail = f"expected at most {max_bytes} bytes, found {n_bytes}"
        raise RowRefusedError(Failure.IMAGE_TOO_LARGE, detail)
