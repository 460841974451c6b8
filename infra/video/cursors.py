"""A few open places in the videos of a source, shared by the threads that load frames.

Parts of one clip are ingested at the same time, each from its own place; a thread takes the place
that reaches its frame with the least decoding, and a new one is opened only where none is near.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import BinaryIO, Final

from infra.video.container import VideoLimits
from infra.video.cursor import VideoCursor
from infra.video.picture import RGB, upright_rgb

MAX_OPEN: Final = 4


@dataclass(slots=True)
class _Place:
    """An open cursor; `used` orders places by their last use, `users` are at it or wait for it."""

    file: int
    cursor: VideoCursor
    used: int = 0
    users: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)


class VideoCursors:
    """Frames by file and time; safe to use from many threads."""

    def __init__(
        self,
        open_file: Callable[[int], BinaryIO],
        limits: VideoLimits,
        is_chosen: Callable[[int, int], bool],
    ) -> None:
        """Take what opens a file by its number, and whether a frame of it will be asked for."""
        self._open_file, self._limits, self._is_chosen = open_file, limits, is_chosen
        self._places: list[_Place] = []
        self._lock = threading.Lock()
        self._uses = 0

    def rgb(self, file: int, pts: int, decoded_from: int) -> RGB:
        """Return a frame as (H, W, 3) uint8 RGB the way a player shows it.

        Args:
            file: number that opens the file.
            pts: when it is shown, ticks.
            decoded_from: pts of the key frame it is decoded from.

        Raises:
            VideoProblem: it cannot be decoded, or the file not opened.
        """
        with self._place(file, pts, decoded_from) as place:
            frame = place.cursor.frame_at(pts, decoded_from)
            shape = place.cursor.pixel_shape
        return upright_rgb(frame, shape, self._limits.max_pixels)

    @contextmanager
    def _place(self, file: int, pts: int, decoded_from: int) -> Iterator[_Place]:
        """Give a place to one thread: chosen under one lock, used under its own."""
        with self._lock:
            place = self._nearest(file, pts, decoded_from) or self._opened(file)
            self._uses += 1
            place.used = self._uses
            place.users += 1
        try:
            with place.lock:
                yield place
        finally:
            with self._lock:
                place.users -= 1

    def _nearest(self, file: int, pts: int, decoded_from: int) -> _Place | None:
        """Return the place that reaches the frame; else one of the file, if no more may be open."""
        same = [p for p in self._places if p.file == file]
        near = [p for p in same if p.cursor.can_reach(pts, decoded_from)]
        if near:
            return max(near, key=lambda p: p.cursor.position or 0)
        behind = [p for p in same if p.cursor.position is None or p.cursor.position < pts]
        if behind:
            return max(behind, key=lambda p: p.cursor.position or 0)
        return min(same, key=lambda p: p.used) if len(same) >= MAX_OPEN else None

    def _opened(self, file: int) -> _Place:
        while len(self._places) >= MAX_OPEN:
            idle = [p for p in self._places if not p.users]
            if not idle:
                break
            oldest = min(idle, key=lambda p: p.used)
            self._places.remove(oldest)
            oldest.cursor.close()
        source = self._open_file(file)
        cursor = VideoCursor(source, self._limits, lambda pts: self._is_chosen(file, pts))
        self._places.append(_Place(file, cursor))
        return self._places[-1]
