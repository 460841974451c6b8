"""Typed reading of one untrusted record: the right type, null, or `RowRefusedError`.

Text must be storable as UTF-8, so lone surrogates refuse the row.  Numbers and truth values are
accepted where text is expected, because real answers come as JSON numbers; they are written as
JSON writes them.  Nothing else is converted.
"""

import json
import math
from collections.abc import Mapping
from typing import Any, NoReturn

from sightline.boxes import Box, as_box
from sightline.errors import Failure
from tasks.ingest.source import RowRefusedError

MAX_SIDE = 1_000_000
"""Longest side a row may declare, in pixels."""
MAX_SHOWN_CHARS = 120


def refuse(expected: str, found: object) -> NoReturn:
    """Refuse a row that lacks `expected`.

    Raises:
        RowRefusedError: always, with `ROW_MALFORMED`.
    """
    shown = repr(found)
    shown = shown if len(shown) <= MAX_SHOWN_CHARS else shown[:MAX_SHOWN_CHARS] + "..."
    raise RowRefusedError(Failure.ROW_MALFORMED, f"expected {expected}, found {shown}")


def required(record: Mapping[str, Any], column: str) -> Any:
    """Return the value of `column`, which must be there but may be null."""
    if column not in record:
        refuse(f"a field {column!r}", sorted(record))
    return record[column]


def text(value: Any, column: str) -> str | None:
    """Return `value` as text; null and the empty text are null."""
    if isinstance(value, bool | int | float):
        return None if isinstance(value, float) and math.isnan(value) else json.dumps(value)
    if value is None or value == "":
        return None
    if not isinstance(value, str):
        refuse(f"text in {column!r}", value)
    return storable(value, column)


def storable(value: str, column: str) -> str:
    """Return `value` if UTF-8 can hold it."""
    try:
        value.encode("utf-8")
    except UnicodeEncodeError:
        refuse(f"Unicode text in {column!r}", value)
    return value


def texts(value: Any, column: str) -> tuple[str, ...] | None:
    """Return a list of texts; null and the empty list are null."""
    if value is None or value == []:
        return None
    if not isinstance(value, list):
        refuse(f"a list of texts in {column!r}", value)
    return tuple(text(item, column) or "" for item in value)


def size(width: Any, height: Any) -> tuple[int, int] | None:
    """Return a declared (width, height) in pixels, null if either is null."""
    if width is None or height is None:
        return None
    sides = (_side(width, "width"), _side(height, "height"))
    return sides[0], sides[1]


def boxes(value: Any, column: str) -> tuple[Box, ...] | None:
    """Return a list of boxes, or of one box given flat; null and the empty list are null."""
    if value is None or value == []:
        return None
    if isinstance(value, list) and all(isinstance(v, int | float) for v in value):
        value = [value]
    if not isinstance(value, list):
        raise _bad_box(column, value)
    return tuple(_box(item, column) for item in value)


def _box(value: Any, column: str) -> Box:
    box = as_box(value) if isinstance(value, list | tuple) and _is_small(value) else None
    if box is None:
        raise _bad_box(column, value)
    return box


def _is_small(value: list[Any] | tuple[Any, ...]) -> bool:
    """Return whether no whole number is beyond what a float can hold."""
    return all(not isinstance(v, int) or abs(v) <= MAX_SIDE**2 for v in value)


def _bad_box(column: str, value: Any) -> RowRefusedError:
    shown = repr(value)[:MAX_SHOWN_CHARS]
    detail = f"expected four finite numbers per box in {column!r}, found {shown}"
    return RowRefusedError(Failure.BOX_MALFORMED, detail)


def _side(value: Any, column: str) -> int:
    is_whole = isinstance(value, int) or (isinstance(value, float) and value.is_integer())
    if isinstance(value, bool) or not is_whole or not 1 <= value <= MAX_SIDE:
        refuse(f"whole pixels from 1 to {MAX_SIDE} in {column!r}", value)
    return int(value)
