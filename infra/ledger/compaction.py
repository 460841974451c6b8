"""Joins the many small parts that spool segments leave into few, of a size the cache can hold.

Rows keep their payload; part, run and fingerprint are the new part's.  Calls that were bought
together stay together, since they are asked for together.  A part never grows beyond what
`infra/ledger/cache.py` keeps whole, and a part that is at least half of that is left alone, so a
row is written again a few times at most, however often this runs.

Safe beside everything: a writer adds parts and never touches one, another compactor makes this one
give up on what it has joined already, and a reader whose index names an old part looks again.
"""

import hashlib
import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import pyarrow.compute as pc

from infra.lake.lake import Lake
from infra.lake.merging import merge_parts
from infra.ledger.cache import MAX_CACHE_BYTES, MAX_CACHED_ROWS
from infra.ledger.table import STEP
from sightline.provenance import FINGERPRINT_HEX_CHARS
from sightline.schemas import LEDGER
from sightline.snapshot import DataFile

logger = logging.getLogger(__name__)

MAX_ROWS: Final = MAX_CACHED_ROWS
MAX_BYTES: Final = MAX_CACHE_BYTES // 16
"""Of files, compressed: unpacked, a part still leaves room for others in the cache."""


@dataclass(frozen=True, slots=True)
class Compaction:
    """What joining did: parts before and after, and the rows that were written again."""

    parts_before: int
    parts_after: int
    rows: int


@dataclass(frozen=True, slots=True)
class _Part:
    name: str
    files: tuple[DataFile, ...]

    @property
    def rows(self) -> int:
        return sum(file.rows for file in self.files)

    @property
    def size(self) -> int:
        return sum(file.size for file in self.files)


def compact_ledger(lake: Lake, *, max_rows: int = MAX_ROWS) -> Compaction:
    """Join small parts of the ledger; the calls it holds stay the same.

    Args:
        lake: of the ledger.
        max_rows: most rows of a joined part.

    Raises:
        LakeError: the lake refuses.
    """
    parts = _parts(lake)
    small = [part for part in parts if part.rows * 2 < max_rows and part.size * 2 < MAX_BYTES]
    done = [group for group in _groups(_by_time(lake, small), max_rows) if _join(lake, group)]
    rows = sum(part.rows for group in done for part in group)
    joined = sum(len(group) for group in done)
    logger.info("ledger: %d parts joined into %d, %d rows", joined, len(done), rows)
    return Compaction(len(parts), len(parts) - joined + len(done), rows)


def _parts(lake: Lake) -> list[_Part]:
    files: dict[str, list[DataFile]] = {}
    for file in lake.snapshot(LEDGER).files:
        files.setdefault(file.part, []).append(file)
    return [_Part(name, tuple(found)) for name, found in files.items()]


def _by_time(lake: Lake, parts: Sequence[_Part]) -> list[_Part]:
    """Return parts in the order in which their first calls were received."""
    table = lake.read(LEDGER, parts=[part.name for part in parts], columns=["part", "received_at"])
    first = table.group_by("part").aggregate([("received_at", "min")])
    names = first["part"].to_pylist()
    began = dict(zip(names, first["received_at_min"].to_pylist(), strict=True))
    return sorted((part for part in parts if part.name in began), key=lambda p: began[p.name])


def _groups(parts: Sequence[_Part], max_rows: int) -> Iterator[list[_Part]]:
    """Yield neighbours that fit together; one part alone has nothing to be joined with."""
    group: list[_Part] = []
    for part in parts:
        together = [*group, part]
        is_full = (
            sum(p.rows for p in together) > max_rows or sum(p.size for p in together) > MAX_BYTES
        )
        if is_full and len(group) > 1:
            yield group
        group = [part] if is_full else together
    if len(group) > 1:
        yield group


def _join(lake: Lake, group: Sequence[_Part]) -> bool:
    """Replace parts by one named after them; return whether they were still as listed."""
    digest = hashlib.sha256("\n".join(sorted(part.name for part in group)).encode()).hexdigest()
    name, fingerprint = f"joined-{digest[:32]}", digest[:FINGERPRINT_HEX_CHARS]
    payload = lake.read(LEDGER, parts=[part.name for part in group], columns=LEDGER.payload.names)
    if payload.num_rows != sum(part.rows for part in group):
        return False
    keys = ("received_at", "request_key", "draw")
    order = pc.sort_indices(payload, sort_keys=[(key, "ascending") for key in keys])
    rows = LEDGER.with_provenance(
        payload.take(order),
        part=name,
        run_id=STEP.run_id(name, fingerprint),
        fingerprint=fingerprint,
    )
    with lake.stage(LEDGER, name, fingerprint) as writer:
        writer.write(rows)
        staged = writer.finish()
    return merge_parts(lake, LEDGER, [file for part in group for file in part.files], staged)
