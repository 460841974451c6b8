"""Records of a benchmark's files, whatever they are: JSON in three forms, CSV, TSV, Parquet.

JSON Lines, arrays and Parquet are read as sources are.  Added here: a JSON object that holds the
records, and CSV, which is read as text only, in blocks, and never guesses a type.
"""

import csv
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from sightline.errors import SourceError
from tasks.ingest.records import (
    LINES_SUFFIXES,
    MAX_ARRAY_BYTES,
    Record,
    read_records,
    starts_with_parquet,
)

SUFFIXES: Final = (".jsonl", ".ndjson", ".json", ".parquet", ".csv", ".tsv")
LOOKED_AT: Final = 64
"""Records whose keys say which columns a JSON file has."""
CSV_BLOCK_BYTES: Final = 32_000_000
"""Longest row of a CSV file; images in base64 are within it."""
READ_ROWS: Final = 64


@dataclass(frozen=True, slots=True)
class Entry:
    """One record: its place in the file from 0, and its fields, or why it cannot be read."""

    place: int
    value: Mapping[str, Any]
    problem: str | None = None


def benchmark_files(path: Path) -> tuple[Path, ...]:
    """Return the data files of a benchmark: the file itself, or all below a folder by name."""
    if path.is_file():
        return (path,)
    return tuple(
        sorted(
            file
            for file in path.rglob("*")
            if file.suffix.lower() in SUFFIXES
            and file.is_file()
            and not any(part.startswith(".") for part in file.relative_to(path).parts)
        )
    )


def column_names(path: Path) -> list[str]:
    """Return the columns of a file; of JSON, the keys of the first records.

    Raises:
        SourceError: the file cannot be read.
    """
    if _is_csv(path):
        return _header(path)
    if starts_with_parquet(path):
        return _parquet_names(path)
    first = islice(entries(path, ()), LOOKED_AT)
    return list(dict.fromkeys(name for entry in first for name in entry.value))


def entries(path: Path, columns: tuple[str, ...]) -> Iterator[Entry]:
    """Yield the records of a file in order.

    Args:
        path: the file.
        columns: the columns that are needed; of JSON, all come.

    Raises:
        SourceError: the file as a whole cannot be read.
    """
    if _is_csv(path):
        yield from _csv(path, columns)
    elif (held := _held(path)) is not None:
        for place, value in enumerate(held):
            yield _entry(place, value)
    else:
        wanted = columns if starts_with_parquet(path) else None
        for place, record in enumerate(read_records((path,), wanted)):
            yield _of_source(place, record)


def _of_source(place: int, record: Record) -> Entry:
    return Entry(place, record.value, None if record.problem is None else record.problem.detail)


def _entry(place: int, value: Any) -> Entry:
    if isinstance(value, dict):
        return Entry(place, value)
    return Entry(place, {}, f"expected a JSON object, found {type(value).__name__}")


def _held(path: Path) -> list[Any] | None:
    """Return the records inside one JSON object, null if the file is of another form."""
    if path.suffix.lower() in LINES_SUFFIXES or not _starts_with_brace(path):
        return None
    if path.stat().st_size > MAX_ARRAY_BYTES:
        return None
    try:
        whole = json.loads(path.read_bytes().decode("utf-8-sig"))
    except (ValueError, RecursionError):
        return None  # JSON Lines under another name, or unreadable: the reader of lines says which
    lists = [value for value in whole.values() if _is_records(value)]
    if lists:
        longest: list[Any] = max(lists, key=len)
        return longest
    if whole and all(isinstance(value, dict) for value in whole.values()):
        return [{"id": key} | value for key, value in whole.items()]
    return [whole]


def _is_records(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(v, dict) for v in value)


def _starts_with_brace(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(4096).removeprefix(b"\xef\xbb\xbf").lstrip().startswith(b"{")
    except OSError as exc:
        msg = f"expected a readable file at {str(path)!r}, found {exc.strerror}"
        raise SourceError(msg) from exc


def _parquet_names(path: Path) -> list[str]:
    try:
        return list(pq.read_schema(path).names)
    except (pa.ArrowException, OSError) as exc:
        raise _unreadable(path, "Parquet", exc) from exc


def _is_csv(path: Path) -> bool:
    return path.suffix.lower() in {".csv", ".tsv"}


def _delimiter(path: Path) -> str:
    return "\t" if path.suffix.lower() == ".tsv" else ","


def _header(path: Path) -> list[str]:
    try:
        with path.open(encoding="utf-8-sig", errors="replace", newline="") as file:
            return next(csv.reader(file, delimiter=_delimiter(path)), [])
    except (OSError, ValueError, csv.Error) as exc:
        raise _unreadable(path, "CSV", exc) from exc


def _csv(path: Path, columns: tuple[str, ...]) -> Iterator[Entry]:
    names = _header(path)
    skipped: list[str] = []
    place = 0
    try:
        for batch in _csv_reader(path, names, skipped):
            for row in batch.select(list(columns)).slice(0).to_pylist():
                yield _text_entry(place, row)
                place += 1
    except (pa.ArrowException, OSError, KeyError) as exc:
        raise _unreadable(path, "CSV", exc) from exc
    for detail in skipped:
        yield Entry(place, {}, detail)
        place += 1


def _csv_reader(path: Path, names: list[str], skipped: list[str]) -> pa_csv.CSVStreamingReader:
    """Return batches of bytes columns; rows of a wrong length go to `skipped`."""

    def skip(row: pa_csv.InvalidRow) -> str:
        skipped.append(f"expected {row.expected_columns} cells, found {row.actual_columns}")
        return "skip"

    return pa_csv.open_csv(
        path,
        read_options=pa_csv.ReadOptions(use_threads=False, block_size=CSV_BLOCK_BYTES),
        parse_options=pa_csv.ParseOptions(
            delimiter=_delimiter(path), newlines_in_values=True, invalid_row_handler=skip
        ),
        convert_options=pa_csv.ConvertOptions(
            check_utf8=False,
            column_types=dict.fromkeys(names, pa.binary()),
            strings_can_be_null=False,
        ),
    )


def _text_entry(place: int, row: Mapping[str, bytes | None]) -> Entry:
    try:
        return Entry(place, {n: None if v is None else v.decode() for n, v in row.items()})
    except UnicodeDecodeError as exc:
        return Entry(place, {}, f"expected UTF-8, found {exc.reason}")


def _unreadable(path: Path, kind: str, exc: Exception) -> SourceError:
    msg = f"expected {kind} at {str(path)!r}, found {type(exc).__name__}: {exc}"
    return SourceError(msg)
