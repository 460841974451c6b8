"""Query results as text for people (`table`), or for programs (`json`, `csv`, `parquet`).

Values JSON has no form for become text: bytes as base64, times as ISO 8601, NaN as null; whole
decimals (DuckDB's sums) become integers.  The table form shortens long values, the others never.
"""

import base64
import csv
import io
import json
import math
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime, time
from decimal import Decimal
from enum import StrEnum
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

MAX_CELL_CHARS = 60


class Format(StrEnum):
    """How a result can be written."""

    TABLE = "table"
    JSON = "json"
    CSV = "csv"
    PARQUET = "parquet"


def to_format(table: pa.Table, form: Format | str) -> bytes:
    """Return a result in one form; text forms are UTF-8 and end with a newline.

    Raises:
        ValueError: there is no such form.
    """
    writers: Mapping[Format, Callable[[pa.Table], bytes]] = {
        Format.TABLE: _table,
        Format.JSON: _json,
        Format.CSV: _csv,
        Format.PARQUET: _parquet,
    }
    return writers[Format(form)](table)


def _json(table: pa.Table) -> bytes:
    rows = [_record(table.schema.names, row) for row in _rows(table)]
    return (json.dumps(rows, ensure_ascii=False, indent=2, allow_nan=False) + "\n").encode()


def _csv(table: pa.Table) -> bytes:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(table.schema.names)
    for row in _rows(table):
        writer.writerow([_csv_cell(value) for value in row])
    return out.getvalue().encode()


def _parquet(table: pa.Table) -> bytes:
    out = io.BytesIO()
    pq.write_table(table, out, compression="snappy")
    return out.getvalue()


def _table(table: pa.Table) -> bytes:
    names = table.schema.names
    rows = [[_cell(value) for value in row] for row in _rows(table)]
    widths = [max(map(len, column)) for column in zip(names, *rows, strict=True)]
    right = [_is_number(kind) for kind in table.schema.types]
    lines = [_line(names, widths, right), "  ".join("-" * width for width in widths)]
    lines += [_line(row, widths, right) for row in rows]
    noun = "row" if table.num_rows == 1 else "rows"
    return "\n".join([*lines, f"({table.num_rows} {noun})", ""]).encode()


def _rows(table: pa.Table) -> list[tuple[Any, ...]]:
    columns = [column.to_pylist() for column in table.columns]  # names may repeat, so no dicts
    return list(zip(*columns, strict=True))


def _record(names: Sequence[str], row: Sequence[Any]) -> dict[str, Any]:
    return {name: _plain(value) for name, value in zip(names, row, strict=True)}


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    return _plain_scalar(value)


def _plain_scalar(value: Any) -> Any:
    match value:
        case bytes():
            plain: Any = base64.b64encode(value).decode()
        case Decimal():
            plain = int(value) if value == value.to_integral_value() else float(value)
        case datetime() | date() | time():
            plain = value.isoformat()
        case float():
            plain = value if math.isfinite(value) else None
        case None | bool() | int() | str():
            plain = value
        case _:
            plain = str(value)
    return plain


def _csv_cell(value: Any) -> Any:
    plain = _plain(value)
    if isinstance(plain, list | dict):
        return json.dumps(plain, ensure_ascii=False)
    return "" if plain is None else plain


def _cell(value: Any) -> str:
    if isinstance(value, bytes):
        return f"<{len(value)} bytes>"
    text = "null" if value is None else str(_csv_cell(value))
    text = "".join(c if c.isprintable() else " " for c in text)
    return text if len(text) <= MAX_CELL_CHARS else text[: MAX_CELL_CHARS - 1] + "…"


def _is_number(kind: pa.DataType) -> bool:
    return bool(
        pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind)
    )


def _line(cells: Sequence[str], widths: Sequence[int], right: Sequence[bool]) -> str:
    padded = [
        cell.rjust(width) if is_right else cell.ljust(width)
        for cell, width, is_right in zip(cells, widths, right, strict=True)
    ]
    return "  ".join(padded).rstrip()
