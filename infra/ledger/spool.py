"""The spool: where a received response becomes durable before anyone may count on it.

A segment is a file of lines `<crc32, 8 hex> <JSON>`.  One thread writes for all callers: what
arrives while an fsync runs shares the next one, so durability costs one fsync per burst, not per
response.  A segment's owner holds an flock on it for as long as it lives; the kernel drops the
lock when the process dies, however it dies, and that alone says "this segment is an orphan".

Easy to get wrong: between creating a file and locking it another process may adopt and delete
the empty file, so the owner checks that the path still leads to the file it locked.  A line that
was cut short by a crash was never acknowledged and is left out; whole lines never are.
"""

import contextlib
import fcntl
import os
import queue
import secrets
import threading
import zlib
from collections.abc import Iterator
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path

from sightline.errors import LakeError

SEGMENT_SUFFIX = ".spool"
MAX_SEGMENT_BYTES = 32 * 1024 * 1024
"""A segment becomes one part of the ledger table, which is read back whole."""
MAX_GROUP_BYTES = 8 * 1024 * 1024
_PREFIX_CHARS = 9
"""Eight of checksum and a space."""


@dataclass(frozen=True, slots=True)
class Location:
    """Where one payload stands: a segment, and the offset and length of its JSON in it."""

    path: Path
    offset: int
    length: int


@dataclass(frozen=True, slots=True)
class Segment:
    """A locked segment file; `fd` holds the lock until it is closed."""

    path: Path
    fd: int

    def discard(self) -> None:
        """Delete the file, then let go of the lock: nobody can adopt it in between."""
        self.path.unlink(missing_ok=True)
        os.close(self.fd)


@dataclass(frozen=True, slots=True)
class SegmentContent:
    """The whole lines of a segment, and whether damage stands before its last line."""

    payloads: tuple[bytes, ...]
    locations: tuple[Location, ...]
    damaged: bool


@dataclass(frozen=True, slots=True)
class _Append:
    line: bytes
    done: "Future[Location]"


@dataclass(frozen=True, slots=True)
class _Seal:
    done: "Future[list[Segment]]"


def encode_line(payload: bytes) -> bytes:
    """Return the line of a payload.

    Raises:
        ValueError: the payload is not one line.
    """
    if b"\n" in payload:
        msg = "a spool payload is one line of JSON"
        raise ValueError(msg)
    return b"%08x %s\n" % (zlib.crc32(payload), payload)


def decode_line(line: bytes) -> bytes | None:
    """Return the payload of a line without its line feed, null if it is cut or damaged."""
    payload = line[_PREFIX_CHARS:]
    return payload if line[:_PREFIX_CHARS] == b"%08x " % zlib.crc32(payload) else None


def scan_lines(data: bytes, path: Path, start: int = 0) -> Iterator[tuple[Location, bytes | None]]:
    """Yield every line of `data`, which begins at offset `start`; null for a cut or damaged one."""
    offset = start
    lines = data.split(b"\n")
    for line in lines if lines[-1] else lines[:-1]:
        payload = decode_line(line)
        yield Location(path, offset + _PREFIX_CHARS, max(0, len(line) - _PREFIX_CHARS)), payload
        offset += len(line) + 1


def read_segment(path: Path) -> SegmentContent:
    """Return the whole lines of a segment; a torn last line is no damage, it was never counted."""
    found = list(scan_lines(path.read_bytes(), path))
    good = [(place, payload) for place, payload in found if payload is not None]
    damaged = any(payload is None for _, payload in found[:-1])
    return SegmentContent(
        payloads=tuple(payload for _, payload in good),
        locations=tuple(place for place, _ in good),
        damaged=damaged,
    )


def read_payload(location: Location) -> bytes:
    """Return one payload.

    Raises:
        FileNotFoundError: the segment has been committed and deleted since.
    """
    with location.path.open("rb") as file:
        return os.pread(file.fileno(), location.length, location.offset)


def segments(folder: Path) -> list[Path]:
    """Return every segment file in `folder`, live or not, sorted by name."""
    return sorted(p for p in folder.glob(f"*{SEGMENT_SUFFIX}") if p.is_file())


def adopt(path: Path) -> Segment | None:
    """Return an orphaned segment, now locked by us; null if its owner lives or it is gone."""
    try:
        fd = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    if _lock(fd) and _leads_to(path, fd):
        return Segment(path, fd)
    os.close(fd)
    return None


def _lock(fd: int) -> bool:
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _leads_to(path: Path, fd: int) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(fd))
    except FileNotFoundError:
        return False


def _sync_folder(folder: Path) -> None:
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


class Spool:
    """Appends payloads to this process's own segments; see the module for the promises."""

    def __init__(self, folder: Path, max_segment_bytes: int = MAX_SEGMENT_BYTES) -> None:
        self.folder = folder
        self._max_segment_bytes = max_segment_bytes
        self._queue: queue.SimpleQueue[_Append | _Seal | None] = queue.SimpleQueue()
        self._current: Segment | None = None
        self._size = 0
        self._sealed: list[Segment] = []
        self._owned: frozenset[Path] = frozenset()
        self._closed = False
        folder.mkdir(parents=True, exist_ok=True)
        self._thread = threading.Thread(target=self._write_all, name="spool", daemon=True)
        self._thread.start()

    @property
    def owned(self) -> frozenset[Path]:
        """Return the segments this process wrote."""
        return self._owned

    def owns(self, path: Path) -> bool:
        """Return whether this process wrote the segment."""
        return path in self._owned

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
        for segment in [*self._sealed, *([self._current] if self._current else [])]:
            with contextlib.suppress(OSError):
                os.close(segment.fd)

    def _put(self, item: _Append | _Seal) -> None:
        if self._closed:
            msg = f"the spool in {self.folder} is closed"
            raise LakeError(msg)
        self._queue.put(item)

    def _write_all(self) -> None:
        while (item := self._queue.get()) is not None:
            if isinstance(item, _Append):
                group, item = self._group(item)
                self._write_group(group)
            if item is not None:
                self._rotate()
                sealed, self._sealed = self._sealed, []
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

    def _write_group(self, group: list[_Append]) -> None:
        try:
            segment = self._open_segment()
            start = self._size
            self._write(segment.fd, b"".join(item.line for item in group))
        except OSError as exc:
            self._rotate()
            error = LakeError(f"cannot write the spool in {self.folder}: {exc.strerror or exc}")
            for item in group:
                item.done.set_exception(error)
            return
        for item in group:
            length = len(item.line) - _PREFIX_CHARS - 1
            item.done.set_result(Location(segment.path, start + _PREFIX_CHARS, length))
            start += len(item.line)
        if self._size >= self._max_segment_bytes:
            self._rotate()

    def _write(self, fd: int, data: bytes) -> None:
        view = memoryview(data)
        try:
            while view:
                view = view[os.write(fd, view) :]
            os.fsync(fd)
        except OSError:
            os.ftruncate(fd, self._size)
            raise
        self._size += len(data)

    def _open_segment(self) -> Segment:
        while self._current is None:
            name = f"{os.getpid()}-{secrets.token_hex(6)}{SEGMENT_SUFFIX}"
            path = self.folder / name
            self._owned |= {path}
            fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            if _lock(fd) and _leads_to(path, fd):
                self._current, self._size = Segment(path, fd), 0
                _sync_folder(self.folder)
            else:
                os.close(fd)
        return self._current

    def _rotate(self) -> None:
        if self._current is not None:
            self._sealed.append(self._current)
        self._current, self._size = None, 0
