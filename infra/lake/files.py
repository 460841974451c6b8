"""How rows become staged Parquet files: unique names, small row groups, statistics for the log.

Staged files lie beside the committed ones, yet no reader sees them: only the Delta log says what
belongs to a table.  Row groups close at exact row counts, whatever batches the rows arrived in,
so the same rows always give the same files.  Snappy, and none for image bytes: ZSTD waits until
DuckDB reads it correctly (duckdb#24905).
"""

import json
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Any, Self

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from deltalake.transaction import AddAction

from infra.lake.objects import ObjectStore
from sightline.errors import ContractError
from sightline.schemas import Contract

GROUP_ROWS = 20_000
BLOB_GROUP_ROWS = 64
BLOB_GROUP_BYTES = 32 * 2**20
"""A reader of one image reads one row group; 64 JPEGs of 0.5 MB are 32 MB."""

SHORT_KEYS = frozenset({"phash", "signature"})
"""Columns of bytes that are no images; their rows are as short as those of any table."""

FILE_BYTES = 256 * 2**20
MAX_STATISTIC_CHARS = 80
"""Longer texts are no keys; their bounds would only bloat the log."""


@dataclass(frozen=True, slots=True)
class StagedPart:
    """Files of one part that are written but belong to no snapshot yet."""

    table: str
    part: str
    fingerprint: str
    rows: int
    files: tuple[AddAction, ...]


class PartWriter:
    """Streams the rows of one part into new files; nothing is visible until published.

    Leaving the context with an error removes what was written.
    """

    def __init__(self, contract: Contract, part: str, fingerprint: str, store: ObjectStore) -> None:
        self._contract, self._part, self._fingerprint = contract, part, fingerprint
        self._store = store
        self._stored_schema = without_part(contract.schema)
        self._has_images = bool(image_columns(self._stored_schema))
        self._put_back(self._stored_schema.empty_table())
        self._staged: list[AddAction] = []
        self._open: _OpenFile | None = None
        self._folder = TemporaryDirectory(prefix="sightline-stage-")

    def write(self, table: pa.Table) -> None:
        """Add full rows of this part.

        Raises:
            ContractError: the rows do not honour the contract or belong to another part.
        """
        self._contract.check(table)
        self._check_provenance(table)
        self._pending.append(table.drop_columns(["part"]).cast(self._stored_schema))
        self._pending_rows += table.num_rows
        self._pending_bytes += table.nbytes
        if self._pending_is_large():
            *full, rest = row_groups(self._take_pending())
            for group in full:
                self._write_group(group)
            self._put_back(rest)

    def finish(self) -> StagedPart:
        """Return the staged part; call inside the context, after the last write."""
        for group in row_groups(self._take_pending()):
            if group.num_rows:
                self._write_group(group)
        self._close_file()
        rows = sum(json.loads(file.stats)["numRecords"] for file in self._staged)
        return StagedPart(
            self._contract.name, self._part, self._fingerprint, rows, tuple(self._staged)
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with ExitStack() as stack:
            stack.callback(self._folder.cleanup)
            if self._open is not None:
                self._open.writer.close()
            if kind is not None:
                discard(self._store, self._contract, self._staged)

    def _put_back(self, rest: pa.Table) -> None:
        self._pending, self._pending_rows = [rest], rest.num_rows
        self._pending_bytes = rest.nbytes

    def _take_pending(self) -> pa.Table:
        taken = pa.concat_tables(self._pending).combine_chunks()
        self._put_back(self._stored_schema.empty_table())
        return taken

    def _pending_is_large(self) -> bool:
        max_rows = BLOB_GROUP_ROWS if self._has_images else GROUP_ROWS
        return self._pending_rows > max_rows or bool(self._pending_bytes > BLOB_GROUP_BYTES)

    def _check_provenance(self, table: pa.Table) -> None:
        expected = {"part": self._part, "fingerprint": self._fingerprint}
        for name, value in expected.items():
            found = pc.unique(table[name]).to_pylist()
            if found and found != [value]:
                msg = f"{self._contract.name}: expected {name} {value!r}, found {found[:3]!r}"
                raise ContractError(msg)

    def _write_group(self, group: pa.Table) -> None:
        if self._open is None:
            self._open = _OpenFile(self._contract, Path(self._folder.name))
        self._open.writer.write_table(group, row_group_size=group.num_rows)
        self._open.count(group)
        if self._open.bytes >= FILE_BYTES:
            self._close_file()

    def _close_file(self) -> None:
        if self._open is None:
            return
        file, self._open = self._open, None
        file.writer.close()
        key = f"part={self._part}/{file.path.name}"
        self._store.upload(file.path, f"{self._contract.path}/{key}")
        self._staged.append(
            AddAction(
                path=key,
                size=file.path.stat().st_size,
                partition_values={"part": self._part},
                modification_time=int(time.time() * 1000),
                data_change=True,
                stats=json.dumps(statistics(file.metadata[0], self._stored_schema, file.nulls)),
            )
        )
        file.path.unlink()


class _OpenFile:
    def __init__(self, contract: Contract, folder: Path) -> None:
        schema = without_part(contract.schema)
        blobs = blob_columns(schema)
        self.path = folder / f"{uuid.uuid4().hex}.parquet"
        self.bytes = 0
        self.nulls = dict.fromkeys(schema.names, 0)
        self.metadata: list[pq.FileMetaData] = []
        self.writer = pq.ParquetWriter(
            self.path,
            schema,
            compression={leaf(f): "none" if f.name in blobs else "snappy" for f in schema},
            use_dictionary=[leaf(f) for f in schema if f.name not in blobs],
            write_statistics=[leaf(f) for f in schema if f.name not in blobs],
            metadata_collector=self.metadata,
        )

    def count(self, group: pa.Table) -> None:
        self.bytes += group.nbytes
        for name in self.nulls:
            self.nulls[name] += group[name].null_count


def discard(store: ObjectStore, contract: Contract, files: Sequence[AddAction]) -> None:
    """Remove staged files that will not be published."""
    for file in files:
        store.delete(f"{contract.path}/{file.path}")


def without_part(schema: pa.Schema) -> pa.Schema:
    """Return what a file holds: the partition column is in the log, not in the file."""
    return schema.remove(schema.get_field_index("part"))


def blob_columns(schema: pa.Schema) -> list[str]:
    """Return the columns that hold bytes: stored as they are, without bounds."""
    return [field.name for field in schema if pa.types.is_binary(field.type)]


def image_columns(schema: pa.Schema) -> list[str]:
    """Return the columns that hold encoded images or maps, of which few make a row group."""
    return [name for name in blob_columns(schema) if name not in SHORT_KEYS]


def leaf(field: "pa.Field[Any]") -> str:
    """Return the Parquet path of a column's values; lists nest as `list.element`."""
    path: str = field.name
    kind = field.type
    while pa.types.is_list(kind):
        path, kind = f"{path}.list.element", kind.value_type
    return path


def row_groups(table: pa.Table) -> Iterator[pa.Table]:
    """Return full row groups, then the rest, which may be empty."""
    blobs = image_columns(table.schema)
    if not blobs:
        last = max(table.num_rows - 1, 0) // GROUP_ROWS
        yield from (table.slice(n * GROUP_ROWS, GROUP_ROWS) for n in range(last + 1))
        return
    start, held = 0, 0
    for row, size in enumerate(_blob_bytes(table, blobs)):
        if row > start and (row - start == BLOB_GROUP_ROWS or held + size > BLOB_GROUP_BYTES):
            yield table.slice(start, row - start)
            start, held = row, 0
        held += size
    yield table.slice(start)


def _blob_bytes(table: pa.Table, blobs: Sequence[str]) -> list[int]:
    totals = [0] * table.num_rows
    for name in blobs:
        lengths = pc.fill_null(pc.binary_length(table[name]), 0).to_pylist()
        totals = [total + length for total, length in zip(totals, lengths, strict=True)]
    return totals


def statistics(
    metadata: pq.FileMetaData, schema: pa.Schema, nulls: Mapping[str, int]
) -> dict[str, Any]:
    """Return Delta's statistics of a file: rows, nulls, and bounds of keys and counts."""
    lowest: dict[str, Any] = {}
    highest: dict[str, Any] = {}
    for column in schema:
        bounds = _bounds(metadata, column)
        if bounds:
            lowest[column.name], highest[column.name] = bounds
    return {
        "numRecords": metadata.num_rows,
        "minValues": lowest,
        "maxValues": highest,
        "nullCount": dict(nulls),
    }


def _chunks(metadata: pq.FileMetaData, column: "pa.Field[Any]") -> Iterator[Any]:
    wanted = leaf(column)
    for number in range(metadata.num_row_groups):
        group = metadata.row_group(number)
        for index in range(group.num_columns):
            chunk = group.column(index)
            if chunk.path_in_schema == wanted:
                yield chunk.statistics


def _bounds(metadata: pq.FileMetaData, column: "pa.Field[Any]") -> tuple[Any, Any] | None:
    if not (pa.types.is_string(column.type) or pa.types.is_integer(column.type)):
        return None
    found = [chunk for chunk in _chunks(metadata, column) if chunk is not None]
    known = [chunk for chunk in found if chunk.has_min_max]
    if not known or any(not c.has_min_max and c.num_values for c in found):
        return None
    low, high = min(c.min for c in known), max(c.max for c in known)
    too_long = isinstance(low, str) and max(len(low), len(high)) > MAX_STATISTIC_CHARS
    return None if too_long else (low, high)
