"""One pinned version of one table: which Parquet files belong to it, and nothing else.

Readers never list folders: a file that lies in the table's folder but not in the Delta log is
half-written, replaced or orphaned.  Paths come from the log, `part` from the file's partition
value.  A table that nobody has written to yet reads as an empty one (ADR 0002).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self
from urllib.parse import unquote

import pyarrow as pa
from deltalake import DeltaTable
from deltalake.exceptions import DeltaError, TableNotFoundError

from sightline.errors import LakeError
from sightline.schemas import Contract


@dataclass(frozen=True, slots=True)
class DataFile:
    """One Parquet file of a snapshot.

    Attributes:
        path: relative to the table.
        lowest: smallest value of key columns and `fingerprint`, where the log has it.
        highest: largest value of the same.
        complete: the file was written with every column of the contract.
    """

    path: str
    part: str
    rows: int
    size: int
    lowest: Mapping[str, Any]
    highest: Mapping[str, Any]
    complete: bool


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The files of one table at one version; version None means it does not exist yet."""

    contract: Contract
    uri: str
    version: int | None
    files: tuple[DataFile, ...]

    @classmethod
    def read(
        cls,
        lake_uri: str,
        contract: Contract,
        storage: Mapping[str, str] | None = None,
        version: int | None = None,
    ) -> Self:
        """Return the newest snapshot, or the one of `version`.

        Raises:
            LakeError: the table cannot be read.
        """
        uri = f"{lake_uri}/{contract.path}"
        handle = open_handle(uri, storage, version=version)
        if handle is None:
            return cls(contract, uri, None, ())
        return cls(contract, uri, handle.version(), data_files(handle, contract))

    def of_parts(self, parts: Sequence[str] | None) -> tuple[DataFile, ...]:
        """Return the files of `parts`, or of all."""
        if parts is None:
            return self.files
        wanted = set(parts)
        return tuple(file for file in self.files if file.part in wanted)


def open_handle(
    uri: str,
    storage: Mapping[str, str] | None,
    *,
    version: int | None = None,
) -> DeltaTable | None:
    """Return a fresh handle, or None if there is no table yet.

    Raises:
        LakeError: the log cannot be read.
    """
    options = dict(storage) if storage else None
    try:
        return DeltaTable(uri, version=version, storage_options=options)
    except TableNotFoundError:
        return None
    except (DeltaError, OSError) as exc:
        msg = f"cannot read the table at {uri}: {exc}; check the address and the credentials"
        raise LakeError(msg) from exc


def data_files(handle: DeltaTable, contract: Contract) -> tuple[DataFile, ...]:
    """Return the files of an open handle by part, then by name."""
    actions = pa.table(handle.get_add_actions(flatten=True))
    columns = [name for name in contract.schema.names if name != "part"]
    bounded = [name for name in (*contract.key, "fingerprint") if name != "part"]
    wanted = ["path", "size_bytes", "num_records", "partition.part"]
    wanted += [f"{kind}.{name}" for kind in ("min", "max") for name in bounded]
    kept = actions.select([name for name in wanted if name in actions.schema.names])
    complete = _has_counts_of(actions, columns)
    found = [
        _data_file(action, bounded, complete=whole)
        for action, whole in zip(kept.to_pylist(), complete, strict=True)
    ]
    return tuple(sorted(found, key=lambda file: (file.part, file.path)))


def _has_counts_of(actions: pa.Table, columns: Sequence[str]) -> list[bool]:
    """Return per file whether the log counts the nulls of every column: it then has them all."""
    names = [f"null_count.{name}" for name in columns]
    if not set(names) <= set(actions.schema.names):
        return [False] * actions.num_rows
    missing = [actions[name].is_null().to_numpy() for name in names]
    return [not any(nulls) for nulls in zip(*missing, strict=True)]


def _data_file(action: Mapping[str, Any], bounded: Sequence[str], *, complete: bool) -> DataFile:
    return DataFile(
        path=unquote(action["path"]),
        part=action["partition.part"],
        rows=action["num_records"],
        size=action["size_bytes"],
        lowest=_bounds(action, "min", bounded),
        highest=_bounds(action, "max", bounded),
        complete=complete,
    )


def _bounds(action: Mapping[str, Any], kind: str, columns: Sequence[str]) -> dict[str, Any]:
    values = {name: action.get(f"{kind}.{name}") for name in columns}
    return {name: value for name, value in values.items() if value is not None}
