"""The lake: Delta tables in a folder or a bucket, written one part at a time.

A part is done when the newest log entry carries its transaction mark: application id = part name,
version = its fingerprint as a number.  Three things are easy to get wrong (ADR 0002):

* a handle that already knows a mark accepts the same mark again, so `publish` looks and commits on
  one fresh handle, and a refusal means: open again, look again;
* a handle slows down as the log grows, so none is kept;
* after a commit whose answer was lost, the staged files *are* the committed ones: files are
  discarded only if the snapshot does not hold them.
"""

import logging
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
from deltalake import DeltaTable, WriterProperties
from deltalake import Schema as DeltaSchema
from deltalake.exceptions import DeltaError

from infra.lake.files import (
    BLOB_GROUP_ROWS,
    GROUP_ROWS,
    PartWriter,
    StagedPart,
    discard,
    image_columns,
)
from infra.lake.log import (
    CHECKPOINT_COMMITS,
    DROPPED,
    evolved,
    mark_of,
    marks_of,
    replace_parts,
    until_accepted,
)
from infra.lake.objects import ObjectStore, StorageOptions, open_store
from sightline.arrow_files import arrow_filesystem, is_s3, normalise_uri
from sightline.errors import LakeError
from sightline.provenance import Commit
from sightline.schemas import Contract
from sightline.snapshot import DataFile, Snapshot, data_files, open_handle

logger = logging.getLogger(__name__)

PART_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,199}")
"""Part names become folder names and log ids: nothing that any of them would have to quote."""

FINGERPRINT = re.compile(r"[0-9a-f]{15}")
BATCH_ROWS = 1024


@dataclass(frozen=True, slots=True)
class Part:
    """A committed part that has rows."""

    table: str
    part: str
    fingerprint: str
    rows: int


class Lake:
    """Every table of one lake, addressed by contract; safe to share between threads.

    Attributes:
        uri: absolute folder or `s3://bucket/prefix`.
        storage: how to reach the bucket.
        options: the same by delta-rs's names, as `open_lake` takes them; None for a folder.
        objects: everything under the lake's root that is not a table.
    """

    def __init__(self, uri: str | Path, storage: StorageOptions | None = None) -> None:
        self.uri = normalise_uri(uri)
        self.storage = storage or StorageOptions()
        self.objects: ObjectStore = open_store(self.uri, self.storage)
        self.options = self.storage.delta() or None

    def __reduce__(self) -> tuple[type["Lake"], tuple[str, StorageOptions]]:
        return (Lake, (self.uri, self.storage))

    def committed(self, contract: Contract, part: str) -> str | None:
        """Return the fingerprint of the committed part, None if it is not there or was dropped."""
        handle = self._handle(contract)
        return None if handle is None else mark_of(handle, part)

    def committed_among(self, contract: Contract, parts: Iterable[str]) -> frozenset[str]:
        """Return those of `parts` that are committed, with rows or without."""
        handle = self._handle(contract)
        if handle is None:
            return frozenset()
        known = marks_of(handle, data_files(handle, contract), sorted(parts))
        return frozenset(part for part, found in known.items() if found is not None)

    def is_done(self, contract: Contract, part: str, fingerprint: str) -> bool:
        """Return whether `part` is committed with exactly this fingerprint, rows or no rows."""
        return self.committed(contract, part) == fingerprint

    def parts(self, contract: Contract) -> list[Part]:
        """Return the parts that have rows, by name."""
        handle = self._handle(contract)
        if handle is None:
            return []
        files = data_files(handle, contract)
        rows = dict.fromkeys((file.part for file in files), 0)
        for file in files:
            rows[file.part] += file.rows
        marks = marks_of(handle, files, list(rows))
        return [
            Part(contract.name, part, marks[part] or "", count)
            for part, count in sorted(rows.items())
        ]

    def snapshot(self, contract: Contract, version: int | None = None) -> Snapshot:
        """Return the files of the newest version, or of `version`."""
        return Snapshot.read(self.uri, contract, self.options, version)

    def stage(self, contract: Contract, part: str, fingerprint: str) -> PartWriter:
        """Return a writer for one part; end it with `finish` inside its `with` block.

        Raises:
            LakeError: the part name or the fingerprint has a form the log cannot carry.
        """
        _check_names(part, fingerprint)
        return PartWriter(contract, part, fingerprint, self.objects)

    def publish(self, contract: Contract, staged: Sequence[StagedPart]) -> list[Commit]:
        """Make staged parts visible in one transaction, each instead of what it held before.

        A part that someone else has meanwhile committed with the same fingerprint is left as it
        is, and its staged files are removed.  A part without rows leaves only its mark.

        Returns:
            one `Commit` per staged part, in order; `reused` if it was there already.

        Raises:
            LakeError: the parts do not fit together, or the table refuses the commit.
        """
        _check_staged(contract, staged)
        try:
            new = self._commit_until_accepted(contract, staged)
        except (DeltaError, OSError) as exc:
            names = [part.part for part in staged]
            msg = f"cannot commit parts {names} of {contract.name} to {self.uri}: {exc}"
            raise LakeError(msg) from exc
        commits = [
            Commit(s.table, s.part, s.fingerprint, s.rows, reused=s.part not in new) for s in staged
        ]
        rows = sum(part.rows for part in staged if part.part in new)
        logger.info("%s: %d parts, %d rows committed", contract.name, len(new), rows)
        return commits

    def scan(
        self,
        contract: Contract,
        *,
        parts: Sequence[str] | None = None,
        columns: Sequence[str] | None = None,
        batch_rows: int = BATCH_ROWS,
    ) -> Iterator[pa.Table]:
        """Yield the rows of one snapshot in part order, at most `batch_rows` at a time.

        The snapshot is taken when the first table is asked for; later commits do not show.
        """
        schema = _projected(contract, columns)
        found = self.snapshot(contract).of_parts(parts)
        scanner = self._dataset(contract, found).scanner(
            columns=schema.names, batch_size=batch_rows, batch_readahead=2, fragment_readahead=1
        )
        for batch in scanner.to_batches():
            if batch.num_rows:
                yield pa.Table.from_batches([batch]).cast(schema)

    def read(
        self,
        contract: Contract,
        *,
        parts: Sequence[str] | None = None,
        columns: Sequence[str] | None = None,
        where: pc.Expression | None = None,
    ) -> pa.Table:
        """Return the rows of one snapshot in part order; an empty table if there are none.

        Args:
            contract: the table.
            parts: only these; unknown names have no rows.
            columns: only these, in this order.
            where: a filter; files whose statistics exclude it are not opened.
        """
        schema = _projected(contract, columns)
        found = self.snapshot(contract).of_parts(parts)
        dataset = self._dataset(contract, found)
        return dataset.to_table(columns=schema.names, filter=where).cast(schema)

    def drop(self, contract: Contract, *parts: str) -> None:
        """Remove the rows and marks of parts in one transaction; of none that is there, nothing."""
        until_accepted(lambda: self._drop_once(contract, parts))

    def vacuum(self, contract: Contract, *, retention_hours: int = 168) -> list[str]:
        """Delete files that no version within `retention_hours` holds; return their paths.

        This also removes what killed writers staged, so it must be longer than any step runs.
        """
        handle = self._handle(contract)
        if handle is None:
            return []
        return handle.vacuum(
            retention_hours, dry_run=False, enforce_retention_duration=False, full=True
        )

    def optimize(self, contract: Contract) -> None:
        """Join the small files of each part, keeping row groups small; rows do not change."""
        handle = self._handle(contract)
        if handle is None:
            return
        images = image_columns(contract.schema)
        handle.optimize.compact(
            writer_properties=WriterProperties(
                compression="SNAPPY",
                max_row_group_size=BLOB_GROUP_ROWS if images else GROUP_ROWS,
            )
        )

    def maintain(self, contract: Contract, *, retention_hours: int = 168) -> int:
        """Join small files, then delete what nobody can need; return the number deleted."""
        self.optimize(contract)
        return len(self.vacuum(contract, retention_hours=retention_hours))

    def _handle(self, contract: Contract) -> DeltaTable | None:
        uri = f"{self.uri}/{contract.path}"
        return open_handle(uri, self.options)

    def _writable(self, contract: Contract) -> DeltaTable:
        handle = self._handle(contract)
        return self._created(contract) if handle is None else evolved(handle, contract)

    def _created(self, contract: Contract) -> DeltaTable:
        uri = f"{self.uri}/{contract.path}"
        if not is_s3(uri):
            Path(uri).mkdir(parents=True, exist_ok=True)
        try:
            return DeltaTable.create(
                uri,
                DeltaSchema.from_arrow(contract.schema),
                partition_by=["part"],
                name=f"{contract.name}_v{contract.version}",
                description=contract.grain,
                configuration={"delta.checkpointInterval": CHECKPOINT_COMMITS},
                storage_options=self.options,
            )
        except DeltaError:
            handle = self._handle(contract)  # another writer may have been first
            if handle is None:
                raise
            return handle

    def _commit_until_accepted(
        self, contract: Contract, staged: Sequence[StagedPart]
    ) -> frozenset[str]:
        """Return the parts whose rows are now those that were staged here."""
        done = until_accepted(lambda: self._commit_missing(contract, staged))
        found = [part for part in staged if part.part in done]
        held = {file.path for file in self.snapshot(contract).files} if found else set()
        reused = [part for part in found if not held.issuperset(f.path for f in part.files)]
        for part in reused:
            discard(self.objects, contract, part.files)
        without_rows = [part for part in found if not part.files]
        return frozenset(s.part for s in staged) - {s.part for s in [*reused, *without_rows]}

    def _commit_missing(self, contract: Contract, staged: Sequence[StagedPart]) -> set[str]:
        """Commit what is not committed yet; return the parts that were."""
        handle = self._writable(contract)
        present = data_files(handle, contract)
        known = marks_of(handle, present, [part.part for part in staged])
        done = {s.part for s in staged if known[s.part] == s.fingerprint}
        missing = [s for s in staged if s.part not in done]
        if missing:
            files = [file for part in missing for file in part.files]
            marks = {s.part: int(s.fingerprint, 16) for s in missing}
            replace_parts(handle, contract, files, marks, filled={file.part for file in present})
        return done

    def _drop_once(self, contract: Contract, parts: Sequence[str]) -> None:
        handle = self._handle(contract)
        if handle is None:
            return
        filled = {file.part for file in data_files(handle, contract)}
        if not filled.isdisjoint(parts) or any(mark_of(handle, p) is not None for p in parts):
            replace_parts(handle, contract, [], dict.fromkeys(parts, DROPPED), filled=filled)

    def _dataset(self, contract: Contract, files: Sequence[DataFile]) -> ds.Dataset:
        filesystem, root = arrow_filesystem(self.uri, self.options)
        layout = ds.ParquetFileFormat()
        fragments = [
            layout.make_fragment(f"{root}/{contract.path}/{file.path}", filesystem, _facts(file))
            for file in files
        ]
        return ds.FileSystemDataset(fragments, contract.schema, layout, filesystem)


def _facts(file: DataFile) -> pc.Expression:
    """Return what holds for every row of a file, so that a filter can skip it unopened."""
    facts = ds.field("part") == file.part
    for name in file.lowest.keys() & file.highest.keys():
        within = (ds.field(name) >= file.lowest[name]) & (ds.field(name) <= file.highest[name])
        facts &= within | ds.field(name).is_null()
    return facts


def _projected(contract: Contract, columns: Sequence[str] | None) -> pa.Schema:
    if columns is None:
        return contract.schema
    unknown = sorted(set(columns) - set(contract.schema.names))
    if unknown:
        msg = f"{contract.name} has no columns {unknown}; it has {contract.schema.names}"
        raise LakeError(msg)
    return pa.schema([contract.schema.field(name) for name in columns])


def _check_names(part: str, fingerprint: str) -> None:
    if not PART_NAME.fullmatch(part):
        msg = f"expected a part name of letters, digits, '.', '_' and '-', found {part!r}"
        raise LakeError(msg)
    if not FINGERPRINT.fullmatch(fingerprint) or int(fingerprint, 16) == DROPPED:
        msg = f"expected a fingerprint of 15 hex characters, found {fingerprint!r}"
        raise LakeError(msg)


def _check_staged(contract: Contract, staged: Sequence[StagedPart]) -> None:
    names = [part.part for part in staged]
    others = sorted({part.table for part in staged} - {contract.name})
    if others or len(set(names)) != len(names):
        msg = f"expected distinct parts of {contract.name}, found {names} of {others or 'it'}"
        raise LakeError(msg)
