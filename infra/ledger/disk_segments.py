"""Spool segments on a local disk: files whose owner is told by a lock of the kernel.

A segment's owner holds an flock on it for as long as it lives; the kernel drops the lock when the
process dies, however it dies, and that alone says "this segment is an orphan".

Easy to get wrong: between creating a file and locking it another process may adopt and delete
the empty file, so the owner checks that the path still leads to the file it locked.
"""

import contextlib
import fcntl
import os
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from infra.ledger.lines import Location, SegmentContent, content_of, locations
from infra.ledger.spool import MAX_SEGMENT_BYTES, Segment
from sightline.errors import LakeError

SEGMENT_SUFFIX = ".spool"
DAMAGED_SUFFIX = ".damaged"


@dataclass(frozen=True, slots=True)
class DiskSegment:
    """A locked segment file; `fd` holds the lock until it is closed."""

    path: Path
    fd: int

    @property
    def name(self) -> str:
        """Return the path."""
        return str(self.path)

    def read(self) -> SegmentContent:
        """See `Segment.read`; what is locked by us nobody else has committed."""
        return read_segment(self.path)

    def discard(self) -> None:
        """Delete the file, then let go of the lock: nobody can adopt it in between."""
        self.path.unlink(missing_ok=True)
        os.close(self.fd)

    def let_go(self) -> None:
        """See `Segment.let_go`."""
        with contextlib.suppress(OSError):
            os.close(self.fd)

    def set_aside(self) -> str:
        """See `Segment.set_aside`."""
        copy = self.path.with_suffix(DAMAGED_SUFFIX)
        copy.write_bytes(self.path.read_bytes())
        return str(copy)


def read_segment(path: Path) -> SegmentContent:
    """Return the whole lines of a segment file."""
    return content_of(path.read_bytes())


def read_line(place: Location) -> bytes:
    """Return the payload that stands at `place`.

    Raises:
        FileNotFoundError: its segment was committed and deleted.
    """
    with Path(place.segment).open("rb") as file:
        return os.pread(file.fileno(), place.length, place.offset)


def segments(folder: Path) -> list[Path]:
    """Return every segment file in `folder`, live or not, sorted by name."""
    return sorted(p for p in folder.glob(f"*{SEGMENT_SUFFIX}") if p.is_file())


def adopt(path: Path) -> DiskSegment | None:
    """Return an orphaned segment, now locked by us; null if its owner lives or it is gone."""
    try:
        fd = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    if _lock(fd) and _leads_to(path, fd):
        return DiskSegment(path, fd)
    os.close(fd)
    return None


class DiskSegments:
    """The segments of one process in a folder that the processes of a machine share."""

    def __init__(self, folder: Path, max_segment_bytes: int = MAX_SEGMENT_BYTES) -> None:
        self.folder = folder
        self._max_segment_bytes = max_segment_bytes
        self._open: DiskSegment | None = None
        self._size = 0
        self._ended: list[Segment] = []
        self._owned: frozenset[Path] = frozenset()
        folder.mkdir(parents=True, exist_ok=True)

    @property
    def owned(self) -> frozenset[Path]:
        """Return the segments this process wrote."""
        return self._owned

    def write(self, lines: list[bytes]) -> list[Location]:
        """See `SegmentStore.write`."""
        try:
            segment = self._current()
            start = self._size
            self._append(segment.fd, b"".join(lines))
        except OSError as exc:
            self._end()
            msg = f"cannot write the spool in {self.folder}: {exc.strerror or exc}"
            raise LakeError(msg) from exc
        if self._size >= self._max_segment_bytes:
            self._end()
        return locations(lines, segment.name, start)

    def rotate(self) -> list[Segment]:
        """See `SegmentStore.rotate`."""
        self._end()
        ended, self._ended = self._ended, []
        return ended

    def orphans(self) -> Iterator[Segment]:
        """See `SegmentStore.orphans`."""
        for path in segments(self.folder):
            orphan = None if path in self._owned else adopt(path)
            if orphan is not None:
                yield orphan

    def read(self, place: Location) -> bytes:
        """See `SegmentStore.read`."""
        return read_line(place)

    def _append(self, fd: int, data: bytes) -> None:
        view = memoryview(data)
        try:
            while view:
                view = view[os.write(fd, view) :]
            os.fsync(fd)
        except OSError:
            os.ftruncate(fd, self._size)
            raise
        self._size += len(data)

    def _current(self) -> DiskSegment:
        while self._open is None:
            name = f"{os.getpid()}-{secrets.token_hex(6)}{SEGMENT_SUFFIX}"
            path = self.folder / name
            self._owned |= {path}
            fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            if _lock(fd) and _leads_to(path, fd):
                self._open, self._size = DiskSegment(path, fd), 0
                _sync_folder(self.folder)
            else:
                os.close(fd)
        return self._open

    def _end(self) -> None:
        if self._open is not None:
            self._ended.append(self._open)
        self._open, self._size = None, 0


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
