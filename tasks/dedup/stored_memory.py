"""Settlements kept beside the tables: a cache, never the truth.

One object per kind and rule, replaced whole.  Its name and its metadata say which rule made it, and
a checksum at its end covers every byte, because kernels trust what they are given.  A state that is
missing, torn, of another version or of another rule is no error: everything is settled anew.
A state needs no link to a version of the tables, since whoever loads it compares it item by item
with the lake as it is (`settle.memory`); so it may be older or newer than the rows in `duplicates`.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import pyarrow as pa
import xxhash

from infra.lake.objects import ObjectStore
from sightline.errors import LakeError
from sightline.ids import content_id
from tasks.dedup.settle.memory import Remembered
from tasks.dedup.settle.state import state_of, table_of

FOLDER: Final = "dedup/settled"
VERSION: Final = 2
"""Of salts, digests and the form; a state of another version is not looked at."""

_MADE_BY: Final = b"sightline.made_by"
_CHECKSUM_BYTES: Final = 16
_CHUNK_BYTES: Final = 1 << 24
_log = logging.getLogger(__name__)


class StoredMemory:
    """The settlement of one kind of items by one rule, as an object of a lake."""

    def __init__(self, objects: ObjectStore, kind: str, rule: str) -> None:
        self._objects = objects
        self._made_by = content_id("rule", str(VERSION), kind, rule)
        self.key = f"{FOLDER}/{kind}-{self._made_by[5:21]}.arrow"

    def load(self) -> Remembered | None:
        """See `Memory.load`."""
        try:
            with _scratch() as file:
                self._objects.download(self.key, file)
                return _read(file, self._made_by)
        except FileNotFoundError:
            return None
        except (KeyError, LakeError, OSError, ValueError, pa.ArrowException) as exc:
            _log.warning("%s cannot be used, everything is settled anew: %s", self.key, exc)
            return None

    def save(self, state: Remembered) -> None:
        """See `Memory.save`."""
        try:
            with _scratch() as file:
                _write(file, state, self._made_by)
                self._objects.upload(file, self.key)
        except (LakeError, OSError, pa.ArrowException) as exc:
            _log.warning("%s was not written, the next run settles more: %s", self.key, exc)


def delete_abandoned(objects: ObjectStore, before: datetime) -> int:
    """Delete states that no rule in use has replaced for long, and return how many these were.

    The newest state of a kind stays whatever its age: a lake that nobody changes writes none.

    Args:
        objects: of the lake.
        before: states written earlier are abandoned, with a time zone.
    """
    newest_first = sorted(objects.list(FOLDER), key=lambda o: (o.modified, o.key), reverse=True)
    kinds, deleted = set[str](), 0
    for found in newest_first:
        kind = found.key.removeprefix(f"{FOLDER}/").rpartition("-")[0]
        if kind in kinds and found.modified < before:
            objects.delete(found.key)
            deleted += 1
        kinds.add(kind)
    return deleted


def _write(file: Path, state: Remembered, made_by: str) -> None:
    table = table_of(state)
    marked = table.replace_schema_metadata((table.schema.metadata or {}) | {_MADE_BY: made_by})
    with pa.OSFile(str(file), "wb") as sink, pa.ipc.new_stream(sink, marked.schema) as writer:
        writer.write_table(marked)
    checksum = _checksum(file)
    with file.open("ab") as end:
        end.write(checksum)


def _checksum(file: Path) -> bytes:
    state = xxhash.xxh3_128()
    with file.open("rb") as data:
        while chunk := data.read(_CHUNK_BYTES):
            state.update(chunk)
    return state.digest()


def _read(file: Path, made_by: str) -> Remembered:
    """Return what `_write` wrote; the arrays stay valid after the file is unlinked.

    Raises:
        LakeError: a byte is not as it was written, or the state is of another version or rule.
    """
    with pa.memory_map(str(file)) as source:
        data = source.read_buffer()
    content = data[: max(len(data) - _CHECKSUM_BYTES, 0)]
    if xxhash.xxh3_128_digest(content) != bytes(data[len(content) :]):
        msg = f"expected a checksum over {len(content)} bytes, found another one"
        raise LakeError(msg)
    table = pa.ipc.open_stream(pa.BufferReader(content)).read_all()
    found = (table.schema.metadata or {}).get(_MADE_BY, b"").decode()
    if found != made_by:
        msg = f"expected a state made by {made_by}, found one made by {found or 'no rule'}"
        raise LakeError(msg)
    return state_of(table)


@contextmanager
def _scratch() -> Iterator[Path]:
    with TemporaryDirectory(prefix="sightline-settled-") as folder:
        yield Path(folder) / "state.arrow"
