"""Spool segments in the lake, for machines that may be lost together with their disks.

A segment is a run of objects `spool/<writer>/<segment>/<block>`, each created once and holding
the lines of one burst.  It is a log that anybody may end: who creates the block after the last
one, an empty one, has sealed it, and the writer, who finds its next block taken, goes on in a new
segment.  So nobody has to know for sure that a writer is dead; taking over a living one's segment
costs it a new segment and nothing else.

Two things are easy to get wrong.  A segment is deleted from its first block on, so one without its
first block has been committed, whatever is left of it.  And its seal stays: a block that was on
its way for minutes must still find the number taken, or it would be durable where nobody looks.
"""

import secrets
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import groupby
from typing import Final

from infra.lake.objects import ObjectInfo, ObjectStore
from infra.ledger.lines import Location, SegmentContent, content_of, locations
from infra.ledger.spool import MAX_SEGMENT_BYTES, Segment
from sightline.errors import LakeError

SPOOL: Final = "spool/"
DAMAGED: Final = "damaged-spool/"
SEAL: Final = b""
KEEP_SEALS_S: Final = 86_400.0
THREADS: Final = 8
"""A segment is a few hundred small blocks."""


@dataclass(slots=True)
class LakeSegment:
    """A segment that nobody writes to any more; `blocks` is how many it has."""

    objects: ObjectStore
    name: str
    blocks: int

    def read(self) -> SegmentContent | None:
        """See `Segment.read`."""
        keys = [_block(self.name, number) for number in range(self.blocks)]
        try:
            with ThreadPoolExecutor(THREADS) as threads:
                data = list(threads.map(self.objects.get, keys))
        except FileNotFoundError:
            return None
        return content_of(b"".join(data))

    def discard(self) -> None:
        """Delete the blocks, the first one first; a seal stays for a day."""
        first, *others = [_block(self.name, number) for number in range(self.blocks)]
        self.objects.delete(first)
        with ThreadPoolExecutor(THREADS) as threads:
            list(threads.map(self.objects.delete, others))

    def let_go(self) -> None:
        """See `Segment.let_go`; the objects stay as they are."""

    def set_aside(self) -> str:
        """See `Segment.set_aside`."""
        copy = self.name.replace(SPOOL, DAMAGED, 1)
        for number in range(self.blocks):
            self.objects.put(_block(copy, number), self.objects.get(_block(self.name, number)))
        return f"{self.objects.uri}/{copy}"


@dataclass(slots=True)
class LakeSegments:
    """The segments of one process in the lake.

    Attributes:
        writer: name of this process among all that write to the lake.
    """

    objects: ObjectStore
    writer: str
    max_segment_bytes: int = MAX_SEGMENT_BYTES
    _open: LakeSegment | None = None
    _size: int = 0
    _ended: list[Segment] = field(default_factory=list)

    def write(self, lines: list[bytes]) -> list[Location]:
        """See `SegmentStore.write`."""
        data = b"".join(lines)
        try:
            segment = self._current()
            while not self._create(_block(segment.name, segment.blocks), data):
                self._end()
                segment = self._current()
        except LakeError:
            self._open = None  # the block may exist: a later start seals, counts and commits it
            raise
        places = locations(lines, segment.name, 0, segment.blocks)
        segment.blocks += 1
        self._size += len(data)
        if self._size >= self.max_segment_bytes:
            self._end()
        return places

    def rotate(self) -> list[Segment]:
        """See `SegmentStore.rotate`."""
        self._end()
        ended, self._ended = self._ended, []
        return ended

    def orphans(self) -> Iterator[Segment]:
        """See `SegmentStore.orphans`."""
        for name, blocks in _listed(self.objects):
            writer = name.removeprefix(SPOOL).partition("/")[0]
            has_lines = any(block.size for block in blocks)
            if has_lines and writer != self.writer:
                yield self._sealed(name, blocks)

    def read(self, place: Location) -> bytes:
        """See `SegmentStore.read`."""
        data = self.objects.get(_block(place.segment, place.block))
        return data[place.offset : place.offset + place.length]

    def _create(self, key: str, data: bytes) -> bool:
        """Return whether the block is ours, also where the answer to our PUT was lost."""
        if self.objects.put(key, data, create_only=True):
            return True
        try:
            return self.objects.get(key) == data
        except FileNotFoundError:
            return False

    def _current(self) -> LakeSegment:
        if self._open is None:
            name = f"{SPOOL}{self.writer}/{secrets.token_hex(6)}"
            self._open, self._size = LakeSegment(self.objects, name, 0), 0
        return self._open

    def _end(self) -> None:
        if self._open is not None and self._open.blocks:
            self._ended.append(self._open)
        self._open, self._size = None, 0

    def _sealed(self, name: str, blocks: Sequence[ObjectInfo]) -> LakeSegment:
        """Return the segment once no block can be added to it."""
        number = _number(blocks[-1].key)
        if blocks[-1].size:
            number += 1
            while self._is_written(_block(name, number)):
                number += 1
        return LakeSegment(self.objects, name, number)

    def _is_written(self, key: str) -> bool:
        """Seal a segment at `key`; return whether its writer was there first."""
        if self.objects.put(key, SEAL, create_only=True):
            return False
        try:
            return self.objects.get(key) != SEAL
        except FileNotFoundError:
            return False


def remove_old_seals(objects: ObjectStore, keep_s: float = KEEP_SEALS_S) -> int:
    """Delete the seals and torn ends of segments committed long ago; return how many objects."""
    limit = datetime.now(UTC) - timedelta(seconds=keep_s)
    old = [
        block.key
        for _, blocks in _listed(objects)
        if _number(blocks[0].key) > 0 and all(block.modified < limit for block in blocks)
        for block in blocks
    ]
    for key in old:
        objects.delete(key)
    return len(old)


def _listed(objects: ObjectStore) -> list[tuple[str, list[ObjectInfo]]]:
    """Return every segment with its blocks in their order."""
    found = objects.list(SPOOL)
    by_name = groupby(found, lambda block: block.key.rpartition("/")[0])
    return [(name, list(blocks)) for name, blocks in by_name]


def _block(segment: str, number: int) -> str:
    return f"{segment}/{number:08d}"


def _number(key: str) -> int:
    return int(key.rpartition("/")[2])
