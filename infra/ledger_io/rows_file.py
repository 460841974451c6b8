"""The ledger as a file, JSONL or Parquet: every call with request and response, oldest first.

The file holds what the table holds but for part, run and fingerprint, which say where a row lies
and not what was paid.  Neither holds a key of an endpoint: none enters a row.  Rows are read in
slices of time, so a ledger larger than memory can be written.
"""

import dataclasses
import hashlib
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from enum import StrEnum
from itertools import pairwise
from pathlib import Path
from typing import Final, Protocol

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from infra.lake.lake import Lake
from infra.ledger.row import LedgerRow
from infra.ledger_io.foreign import CHANNEL
from sightline.errors import UsageError
from sightline.schemas import LEDGER

SLICE_ROWS: Final = 20_000
ORDER: Final = tuple((name, "ascending") for name in ("received_at", "request_key", "draw"))
BEFORE_ALL: Final = datetime(1, 1, 1, tzinfo=UTC)


class RowsFormat(StrEnum):
    """How rows are written."""

    JSONL = "jsonl"
    PARQUET = "parquet"


class _Writer(Protocol):
    def write(self, rows: pa.Table) -> None: ...

    def close(self) -> None: ...


class _JsonLines:
    def __init__(self, path: Path) -> None:
        self._file = path.open("wb")

    def write(self, rows: pa.Table) -> None:
        for row in rows.to_pylist():
            self._file.write(LedgerRow.from_columns(row).to_payload() + b"\n")

    def close(self) -> None:
        self._file.close()


class _Parquet:
    def __init__(self, path: Path) -> None:
        self._file = pq.ParquetWriter(path, LEDGER.payload, compression="snappy")

    def write(self, rows: pa.Table) -> None:
        self._file.write_table(rows)

    def close(self) -> None:
        self._file.close()


WRITERS: Final[Mapping[RowsFormat, Callable[[Path], _Writer]]] = {
    RowsFormat.JSONL: _JsonLines,
    RowsFormat.PARQUET: _Parquet,
}


def export_rows(lake: Lake, path: Path, form: RowsFormat | str, teacher: str | None = None) -> int:
    """Write the committed calls of a ledger to `path`; return how many.

    Args:
        lake: of the ledger.
        path: of the file, which appears whole or not at all.
        form: of the file.
        teacher: only calls of this model.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".incomplete-{path.name}")
    writer = WRITERS[RowsFormat(form)](partial)
    count = 0
    try:
        for rows in _slices(lake, teacher):
            writer.write(rows)
            count += rows.num_rows
    except BaseException:
        writer.close()
        partial.unlink()
        raise
    writer.close()
    partial.replace(path)
    return count


def _slices(lake: Lake, teacher: str | None) -> Iterator[pa.Table]:
    """Yield the rows by time; rows of one instant stay together, however many."""
    wanted = None if teacher is None else pc.field("teacher") == teacher
    times = lake.read(LEDGER, columns=["received_at"], where=wanted)["received_at"]
    ordered = times.sort().to_pylist()
    cuts = sorted({*ordered[SLICE_ROWS - 1 :: SLICE_ROWS], *ordered[-1:]})
    for after, until in pairwise([BEFORE_ALL, *cuts]):
        in_slice = (pc.field("received_at") > after) & (pc.field("received_at") <= until)
        where = in_slice if wanted is None else in_slice & wanted
        yield lake.read(LEDGER, columns=LEDGER.payload.names, where=where).sort_by(list(ORDER))


def read_rows(path: Path) -> Iterator[LedgerRow]:
    """Yield the calls of a file that `export_rows` wrote, marked as imported.

    Raises:
        UsageError: it is no such file, or a row's key is not that of its request.
    """
    try:
        rows = _parquet_rows(path) if _is_parquet(path) else _json_rows(path)
        yield from (_checked(path, row) for row in rows)
    except OSError as exc:
        msg = f"cannot read {path}: {exc.strerror}"
        raise UsageError(msg) from exc


def _is_parquet(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(4) == b"PAR1"


def _parquet_rows(path: Path) -> Iterator[LedgerRow]:
    for batch in pq.ParquetFile(path).iter_batches(batch_size=SLICE_ROWS // 20):
        yield from (LedgerRow.from_columns(row) for row in batch.to_pylist())


def _json_rows(path: Path) -> Iterator[LedgerRow]:
    with path.open("rb") as lines:
        for number, line in enumerate(lines, start=1):
            try:
                yield LedgerRow.from_payload(line)
            except (ValueError, KeyError, TypeError) as exc:
                msg = f"{path}:{number}: expected a row of an exported ledger: {exc}"
                raise UsageError(msg) from exc


def _checked(path: Path, row: LedgerRow) -> LedgerRow:
    found = hashlib.sha256(row.request_json.encode("utf-8")).hexdigest()
    if found != row.request_key:
        msg = (
            f"{path}: request_key {row.request_key[:12]}... is not the sha256 of its request_json "
            f"({found[:12]}...): the file was changed, export it again"
        )
        raise UsageError(msg)
    return dataclasses.replace(row, channel=CHANNEL)
