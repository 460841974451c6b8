"""Reads chosen frames of one video in order, without decoding what lies between two of them twice.

A frame is exact or it is not there: decoders are told to stop at damage instead of painting over
it, and after damage nothing counts until the next key frame, because later frames may be built on
the lost one.  Frames are found by the time the container states, never by counting.
"""

import math
from collections import OrderedDict, deque
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from fractions import Fraction
from typing import Any, BinaryIO, Final

import av.error
from av.packet import Packet
from av.video.frame import VideoFrame

from infra.video.container import OpenVideo, VideoLimits, VideoProblem, open_video
from infra.video.index import packets
from sightline.errors import Failure

KEPT_FRAMES: Final = 4
"""Passed frames held for a thread that asks late; each is a decoded picture."""
NEAR_S: Final = 1.0
"""Frames no further ahead are decoded through, even past a key frame."""
SEEK_BACK_S: Final = (0.0, 0.5, 2.0, None)
"""How far before a key frame to seek, in turn; None opens the file anew."""


class VideoCursor:
    """A place in one video; not for use by two threads at once."""

    def __init__(
        self, file: BinaryIO, limits: VideoLimits, is_chosen: Callable[[int], bool]
    ) -> None:
        """Open the video; the cursor closes `file`.

        Args:
            file: positioned anywhere.
            limits: what a frame may be.
            is_chosen: whether a frame that is passed will be asked for, by its pts.

        Raises:
            VideoProblem: the video cannot be opened.
        """
        self._file, self._limits, self._is_chosen = file, limits, is_chosen
        self._passed: OrderedDict[int, VideoFrame] = OrderedDict()
        self._lost: tuple[float, float] = (math.inf, math.inf)
        self._stack = ExitStack()
        try:
            self._open()
        except VideoProblem:
            self.close()
            raise

    def close(self) -> None:
        """Close the container and the file."""
        self._passed.clear()
        self._stack.close()
        self._file.close()

    @property
    def pixel_shape(self) -> Fraction:
        """Return the width of a stored pixel over its height; 1 where nothing sound is stated."""
        stated = self.video.stream.sample_aspect_ratio
        return stated if stated and stated > 0 else Fraction(1)

    def can_reach(self, pts: int, decoded_from: int) -> bool:
        """Return whether frame `pts` is at hand, or ahead and a seek would save little decoding."""
        if pts in self._passed:
            return True
        if self.position is None or self.position >= pts:
            return False
        ahead_s = (pts - self.position) * float(self.video.stream.time_base or 0)
        return decoded_from <= self.position or ahead_s <= NEAR_S

    def frame_at(self, pts: int, decoded_from: int) -> VideoFrame:
        """Return the frame shown from `pts` on.

        Args:
            pts: ticks, as `VideoIndex` states them.
            decoded_from: pts of the key frame it is decoded from.

        Raises:
            VideoProblem: it is damaged, or is not there any more.
        """
        if (kept := self._passed.pop(pts, None)) is not None:
            return kept
        is_near = self.can_reach(pts, decoded_from)
        found = self._forward(pts) if is_near else None
        is_final = is_near and self._exact_from is None  # read from the start of the file
        if found is None and not is_final and not self._lost[0] <= pts < self._lost[1]:
            found = self._sought(pts, decoded_from)
        if found is None:
            self._lost = (pts, _pts_of(self._waiting[0]) if self._waiting else math.inf)
            detail = "the frame, or one it is built on, is damaged"
            raise VideoProblem(Failure.VIDEO_DAMAGED, detail)
        return found

    def _sought(self, pts: int, decoded_from: int) -> VideoFrame | None:
        """Return the frame from its key frame on, or from further back where that is not enough.

        A seek may land late where a file has no index.  And a key frame of an open group is where
        decoding may begin, but decoders complain of references that were never seen; from the key
        frame before it they have them.
        """
        for back_s in SEEK_BACK_S:
            self._rewind(decoded_from, back_s)
            found = self._forward(pts)
            landed = math.inf if self._first_packet is None else self._first_packet
            is_whole = landed <= decoded_from and not self._damage.was_met
            if found is not None or is_whole or landed < decoded_from:
                return found
        return None

    def _open(self) -> None:
        self._stack.close()
        self._file.seek(0)
        self.video: OpenVideo = self._stack.enter_context(open_video(self._file, self._limits))
        codec = self.video.stream.codec_context
        most = str(self._limits.max_pixels)
        codec.options = {"err_detect": "crccheck+explode", "max_pixels": most}
        codec.thread_count = 1  # with more, libav hides the damage that a thread meets
        self._start_over(None)

    def _start_over(self, exact_from: int | None) -> None:
        self.position: int | None = None
        self._exact_from = exact_from
        self._first_packet: int | None = None
        self._damage = _Damage()
        self._waiting: deque[VideoFrame] = deque()
        self._packets: Iterator[Packet[Any]] = packets(self.video)

    def _rewind(self, pts: int, back_s: float | None) -> None:
        """Go to the key frame at `pts` or `back_s` before it; None opens the file anew."""
        stream = self.video.stream
        if back_s is None:
            self._open()
            self._exact_from = pts
            return
        ticks = math.ceil(back_s / (stream.time_base or 1))
        try:
            self.video.container.seek(pts - ticks, stream=stream)
            self._start_over(pts)
        except av.error.FFmpegError:
            self._open()
            self._exact_from = pts

    def _forward(self, wanted: int) -> VideoFrame | None:
        """Return frame `wanted`; None if the next one is later, or there is none."""
        while (frame := self._next()) is not None:
            pts = _pts_of(frame)
            if self._exact_from is not None and pts < self._exact_from:
                continue  # decoded without the frames before the place sought
            if pts > wanted:
                self._waiting.appendleft(frame)
                return None
            self.position = pts
            if pts == wanted:
                return frame
            if self._is_chosen(pts):
                self._keep(pts, frame)
        return None

    def _keep(self, pts: int, frame: VideoFrame) -> None:
        self._passed[pts] = frame
        while len(self._passed) > KEPT_FRAMES:
            self._passed.popitem(last=False)

    def _next(self) -> VideoFrame | None:
        """Return the next whole frame."""
        while not self._waiting:
            packet = next(self._packets, None)
            if packet is None:
                return None
            if self._first_packet is None and packet.size:
                self._first_packet = _time_of(packet)
            self._waiting.extend(self._decoded(packet))
        return self._waiting.popleft()

    def _decoded(self, packet: "Packet[Any]") -> list[VideoFrame]:
        self._damage.before(packet)
        try:
            frames = self.video.stream.decode(packet if packet.size else None)
        except av.error.FFmpegError:
            self._damage.at(packet)
            return []
        return [f for f in frames if not f.is_corrupt and not self._damage.hits(_pts_of(f))]


class _Damage:
    """Which frames may be built on one that could not be decoded.

    Pictures that follow a key frame in the file and are shown before it (leading pictures of an
    open group) are built on both sides; nothing later is built on them.
    """

    def __init__(self) -> None:
        self.was_met = False
        self._is_open = False
        self._key: int | None = None
        self._clean_from: int | None = None
        self._hit: set[int] = set()

    def at(self, packet: "Packet[Any]") -> None:
        """Note that `packet` could not be decoded."""
        pts = _time_of(packet)
        is_leading = self._key is not None and pts < self._key
        self._is_open, self._clean_from = True, self._key if is_leading else None
        self._hit.add(pts)
        self.was_met = True

    def before(self, packet: "Packet[Any]") -> None:
        """Note a packet about to be decoded; a key frame ends the damage for what comes later."""
        if not packet.size:
            return
        pts = _time_of(packet)
        if packet.is_keyframe:
            self._key = pts
            self._clean_from = pts
        if not self._is_open:
            return
        if self._clean_from is None or pts < self._clean_from:
            self._hit.add(pts)
        elif not packet.is_keyframe:
            self._is_open = False  # all leading pictures have come

    def hits(self, pts: int) -> bool:
        """Return whether the frame shown from `pts` on may be wrong."""
        return pts in self._hit


def _time_of(packet: "Packet[Any]") -> int:
    return packet.pts if packet.pts is not None else packet.dts or 0


def _pts_of(frame: VideoFrame) -> int:
    return frame.pts if frame.pts is not None else frame.dts or 0
