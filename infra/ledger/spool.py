"""A spool: each response becomes durable before anyone may count on it.

One thread writes for all callers: what arrives while a write is on its way to the medium shares
the next one, so durability costs one fsync, or one PUT, per burst and not per response.  Where
the lines come to lie is a `SegmentStore`: a disk of this machine (`disk_segments.py`), or the lake
itself (`lake_segments.py`) where a machine may be lost together with its disks.
"""

import queue
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Protocol

from infra.ledger.lines import Location, SegmentContent, encode_line
from sightline.errors import LakeError

MAX_GROUP_BYTES = 8 * 1024 * 1024
MAX_SEGMENT_BYTES = 32 * 1024 * 1024
"""A segment becomes one part of the ledger table, which is read back whole."""


class Segment(Protocol):
    """A segment that is ours to commit: sealed by us, or left behind by another process."""

    @property
    def name(self) -> str:
        """Return what a `Location` calls it."""
        ...

    def read(self) -> SegmentContent | None:
        """Return what it holds, null if somebody else has committed it."""
        ...

    def discard(self) -> None:
        """Delete it, once committed, so that nobody can adopt it in between."""
        ...

    def let_go(self) -> None:
        """Leave it to whoever recovers next."""
        ...

    def set_aside(self) -> str:
        """Keep a copy for a person to look at, and return where."""
        ...


class SegmentStore(Protocol):
    """Where segments lie; used by the spool's thread, except `orphans` and `read`."""

    def write(self, lines: list[bytes]) -> list[Location]:
        """Append lines to the open segment, durable on return, and say where each stands.

        Raises:
            LakeError: they are not durable.
        """
        ...

    def rotate(self) -> list[Segment]:
        """End the open segment; return all that were ended since the last time."""
        ...

    def orphans(self) -> Iterator[Segment]:
        """Yield, and make ours, the segments that others left behind."""
        ...

    def read(self, place: Location) -> bytes:
        """Return one payload.

        Raises:
            FileNotFoundError: its segment has been committed and deleted since.
        """
        ...


@dataclass(frozen=True, slots=True)
class _Append:
    line: bytes
    done: "Future[Location]"


@dataclass(frozen=True, slots=True)
class _Seal:
    done: "Future[list[Segment]]"


class Spool:
    """Appends payloads to this process's own segments; see the module for the promises."""

    def __init__(self, store: SegmentStore) -> None:
        self._store = store
        self._queue: queue.SimpleQueue[_Append | _Seal | None] = queue.SimpleQueue()
        self._sealed: list[Segment] = []
        self._closed = False
        self._thread = threading.Thread(target=self._write_all, name="spool", daemon=True)
        self._thread.start()

    def append(self, payload: bytes) -> "Future[Location]":
        """Queue a payload; the future is done once it is durable, or holds a LakeError."""
        done: Future[Location] = Future()
        self._put(_Append(encode_line(payload), done))
        return done

    def seal(self) -> list[Segment]:
        """Close the current segment for writing and return all that wait to be committed.

        The caller discards a segment once it is committed, or hands it back with `keep`.
        """
        done: Future[list[Segment]] = Future()
        self._put(_Seal(done))
        return done.result()

    def keep(self, segment: Segment) -> None:
        """Take back a sealed segment that could not be committed; the next `seal` returns it."""
        self._sealed.append(segment)

    def close(self) -> None:
        """Write what is queued and end the thread; uncommitted segments stay for recovery."""
        if self._closed:
            return
        self._closed = True
        self._queue.put(None)
        self._thread.join()
        for segment in [*self._sealed, *self._store.rotate()]:
            segment.let_go()

    def _put(self, item: _Append | _Seal) -> None:
        if self._closed:
            msg = "the spool is closed; open the ledger again"
            raise LakeError(msg)
        self._queue.put(item)

    def _write_all(self) -> None:
        while (item := self._queue.get()) is not None:
            if isinstance(item, _Append):
                group, item = self._group(item)
                self._write(group)
            if item is not None:
                sealed, self._sealed = [*self._sealed, *self._store.rotate()], []
                item.done.set_result(sealed)

    def _group(self, first: _Append) -> tuple[list[_Append], _Seal | None]:
        """Take what has queued up behind `first`, up to a seal, which is returned beside it."""
        group, size = [first], len(first.line)
        while size < MAX_GROUP_BYTES:
            try:
                item = self._queue.get_nowait()
            except queue.Empty:
                break
            if item is None:
                self._queue.put(None)
                break
            if isinstance(item, _Seal):
                return group, item
            group.append(item)
            size += len(item.line)
        return group, None

    def _write(self, group: list[_Append]) -> None:
        try:
            places = self._store.write([item.line for item in group])
        except LakeError as error:
            for item in group:
                item.done.set_exception(error)
            return
        for item, place in zip(group, places, strict=True):
            item.done.set_result(place)
