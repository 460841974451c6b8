"""Records of JSON Lines, JSON arrays and Parquet files, told apart by their first bytes.

A file whose name says JSON Lines is read as such, so that a bad first line is one bad row.

A record keeps where it stands, so that image bytes inside it can be read again on loading instead
of being held.  Lines and arrays are bounded: a line beyond the limit becomes a bad record and is
skipped without being held; it is named by the sha256 of all of it.
"""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import pyarrow as pa
import pyarrow.parquet as pq

from sightline.errors import Failure, SourceError
from tasks.ingest.source import Problem, RowRefusedError

MAX_LINE_BYTES = 128_000_000
"""An image of the largest size allowed by default, as a data URI, is within it."""
MAX_ARRAY_BYTES = 1_000_000_000
"""A JSON array must be read whole; larger files belong in JSON Lines."""
READ_ROWS = 64
SKIP_BYTES = 1 << 20
PARQUET_MAGIC = b"PAR1"
IN_ARRAY = -1
"""Place of a record that cannot be read again alone."""
LINES_SUFFIXES = (".jsonl", ".ndjson")
SUFFIXES = (".jsonl", ".json", ".ndjson", ".parquet")


@dataclass(frozen=True, slots=True)
class Record:
    """One record as read.

    Attributes:
        file: number of its file.
        start: byte offset of its line, its place in the array, or its row group.
        at: length of its line in bytes, `IN_ARRAY`, or its row in the row group.
        value: its fields; empty if there is a problem.
        raw: canonical text of the record, or the hash of an unreadable one.
        problem: why it could not be read.
    """

    file: int
    start: int
    at: int
    value: dict[str, Any]
    raw: str
    problem: Problem | None = None

    def require_readable(self) -> None:
        """Refuse the row if its record could not be read.

        Raises:
            RowRefusedError: with the reason.
        """
        if self.problem is not None:
            raise RowRefusedError(self.problem.code, self.problem.detail)


def data_files(path: Path) -> tuple[Path, ...]:
    """Return `path`, or the data files directly in it, sorted by name.

    Raises:
        SourceError: there are none.
    """
    if path.is_file():
        return (path,)
    found = sorted(p for p in path.glob("*") if p.suffix in SUFFIXES and p.is_file())
    if not found:
        msg = f"expected a file, or a folder with {', '.join(SUFFIXES)} files, at {str(path)!r}"
        raise SourceError(msg)
    return tuple(found)


def read_records(
    files: tuple[Path, ...], columns: tuple[str, ...] | None = None
) -> Iterator[Record]:
    """Yield every record in order.

    Args:
        files: as `data_files` returns them.
        columns: columns needed from Parquet files; None means all.

    Raises:
        SourceError: a file cannot be read at all, or lacks a column.
    """
    for number, path in enumerate(files):
        match _kind(path):
            case "parquet":
                yield from _parquet(path, number, columns)
            case "array":
                yield from _array(path, number)
            case _:
                yield from _lines(path, number)


def reread_line(path: Path, start: int, length: int) -> dict[str, Any]:
    """Return the JSON object on a line that `read_records` found; {} if the file has changed."""
    with path.open("rb") as file:
        file.seek(start)
        return _parsed(file.read(length), 0, start, length).value


def canonical_text(value: Any) -> str:
    """Return one text for equal JSON values; unlike an id's JSON it takes what sources hold."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), default=_plain)


def _plain(value: Any) -> str:
    if isinstance(value, bytes):
        return "sha256:" + hashlib.sha256(value).hexdigest()
    return str(value)


def starts_with_parquet(path: Path) -> bool:
    """Return whether the file is Parquet by its first bytes."""
    with path.open("rb") as file:
        return file.read(len(PARQUET_MAGIC)) == PARQUET_MAGIC


def _kind(path: Path) -> str:
    try:
        if starts_with_parquet(path):
            return "parquet"
        with path.open("rb") as file:
            start = file.read(4096)
    except OSError as exc:
        msg = f"expected a readable file at {str(path)!r}, found {exc.strerror}"
        raise SourceError(msg) from exc
    if path.suffix in LINES_SUFFIXES:
        return "lines"
    return "array" if start.removeprefix(b"\xef\xbb\xbf").lstrip().startswith(b"[") else "lines"


def _lines(path: Path, number: int) -> Iterator[Record]:
    start = 0
    with path.open("rb") as file:
        while line := file.readline(MAX_LINE_BYTES + 1):
            if len(line) > MAX_LINE_BYTES:
                record = _skipped(file, line, number, start)
                start = file.tell()
                yield record
                continue
            if line.strip():
                yield _parsed(line, number, start, len(line))
            start += len(line)


def _skipped(file: IO[bytes], line: bytes, number: int, start: int) -> Record:
    digest, length = hashlib.sha256(), 0
    while line:
        digest.update(line)
        length += len(line)
        line = b"" if line.endswith(b"\n") else file.readline(SKIP_BYTES)
    detail = f"expected a line of at most {MAX_LINE_BYTES} bytes, found {length}"
    return _bad(number, start, digest.hexdigest(), detail)


def _parsed(line: bytes, number: int, start: int, length: int) -> Record:
    try:
        value = json.loads(line.decode("utf-8-sig" if start == 0 else "utf-8"))
        if isinstance(value, dict):
            return Record(number, start, length, value, canonical_text(value))
        detail = f"expected a JSON object, found {type(value).__name__}"
    except (ValueError, RecursionError) as exc:
        detail = f"expected a JSON object on one line, found {type(exc).__name__}: {exc}"
    return _bad(number, start, hashlib.sha256(line).hexdigest(), detail)


def _bad(number: int, start: int, sha: str, detail: str) -> Record:
    problem = Problem(Failure.ROW_MALFORMED, detail)
    return Record(number, start, 0, {}, f"unreadable {sha}", problem)


def _array(path: Path, number: int) -> Iterator[Record]:
    if path.stat().st_size > MAX_ARRAY_BYTES:
        msg = (
            f"expected a JSON array of at most {MAX_ARRAY_BYTES} bytes at {str(path)!r}, "
            f"found {path.stat().st_size}; convert it to JSON Lines"
        )
        raise SourceError(msg)
    try:
        items = json.loads(path.read_bytes().decode("utf-8-sig"))
    except (ValueError, RecursionError) as exc:
        msg = f"expected a JSON array at {str(path)!r}, found {type(exc).__name__}: {exc}"
        raise SourceError(msg) from exc
    for place, item in enumerate(items):
        raw = canonical_text(item)
        if isinstance(item, dict):
            yield Record(number, place, IN_ARRAY, item, raw)
        else:
            detail = f"expected a JSON object, found {type(item).__name__}"
            yield _bad(number, place, hashlib.sha256(raw.encode()).hexdigest(), detail)


def _parquet(path: Path, number: int, columns: tuple[str, ...] | None) -> Iterator[Record]:
    try:
        with pq.ParquetFile(path) as file:
            _require_columns(path, file.schema_arrow.names, columns or ())
            for group in range(file.num_row_groups):
                yield from _row_group(file, number, group, columns)
    except (pa.ArrowException, OSError) as exc:
        msg = f"expected a Parquet file at {str(path)!r}, found {type(exc).__name__}: {exc}"
        raise SourceError(msg) from exc


def _row_group(
    file: pq.ParquetFile, number: int, group: int, columns: tuple[str, ...] | None
) -> Iterator[Record]:
    place = 0
    wanted = list(columns) if columns is not None else None
    for batch in file.iter_batches(READ_ROWS, row_groups=[group], columns=wanted):
        for value in batch.to_pylist():
            yield Record(number, group, place, value, canonical_text(value))
            place += 1


def _require_columns(path: Path, found: list[str], columns: tuple[str, ...]) -> None:
    missing = sorted(set(columns) - set(found))
    if missing:
        msg = f"expected columns {missing} in {str(path)!r}, found {sorted(found)}"
        raise SourceError(msg)
