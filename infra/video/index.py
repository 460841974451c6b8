"""Which frames a video holds, from its packets alone: nothing is decoded.

Times are those the container states (pts), in ticks of the stream's time base, so a variable frame
rate needs nothing special.  A file that ends early keeps the frames before its end and carries the
problem beside them.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, BinaryIO, Final

import av
import av.error
import numpy as np
import numpy.typing as npt
from av.packet import Packet

from infra.video.container import OpenVideo, VideoLimits, VideoProblem, codec_name, open_video
from sightline.errors import Failure

Ticks = npt.NDArray[np.int64]

LOST_SECONDS: Final = 1.0
"""A file whose packets end this much before the length in its header was cut short."""


@dataclass(frozen=True, slots=True)
class VideoIndex:
    """The frames of a video in the order they are shown.

    Attributes:
        pts: (n,) int64, ticks, strictly rising.
        keys: (k,) int64, pts of the frames that need no other, rising.
        last_ticks: how long the last frame is shown, at least 1.
        tick: length of a tick in seconds.
        problem: why the file holds fewer frames than it says; the frames here are good to try.
    """

    pts: Ticks
    keys: Ticks
    last_ticks: int
    tick: Fraction
    problem: VideoProblem | None = None

    def seconds(self, number: int) -> float:
        """Return the time of frame `number` since the first, in seconds."""
        return float(int(self.pts[number] - self.pts[0]) * self.tick)

    def decoded_from(self, number: int) -> int:
        """Return the pts of the key frame from which frame `number` is decoded."""
        at = int(np.searchsorted(self.keys, self.pts[number], side="right")) - 1
        return int(self.keys[at]) if at >= 0 else int(self.pts[0])


def read_index(file: BinaryIO, limits: VideoLimits) -> VideoIndex:
    """Return the frames in `file`, read to its end once.

    Raises:
        VideoProblem: no video, a format or codec that is not read here, beyond a limit, or without
            a single frame.
    """
    with open_video(file, limits) as video:
        _require_times(video)
        scan = _Scan()
        problem = scan.read(video, limits)
        if not scan.frames:
            detail = "expected at least one whole frame with a time, found none"
            raise problem or VideoProblem(Failure.VIDEO_UNREADABLE, detail)
        order = sorted(scan.frames)
        pts = np.array(order, dtype=np.int64)
        keys = np.array([p for p in order if scan.frames[p]], dtype=np.int64)
        tick = video.stream.time_base or Fraction(1, av.time_base)
        index = VideoIndex(pts, keys, max(1, scan.last_ticks), tick, problem)
        _check_length(index, limits)
        return index


class _Scan:
    """What the packets said; `frames` maps pts to whether the frame is a key frame."""

    def __init__(self) -> None:
        self.frames: dict[int, bool] = {}
        self.last_ticks = 1
        self._latest = 0
        self._end_s = Fraction(0)

    def read(self, video: OpenVideo, limits: VideoLimits) -> VideoProblem | None:
        """Take in all packets; return the reason if they end before the file says."""
        n_video, damage = 0, None
        try:
            for packet in video.container.demux():
                if packet.stream is video.stream:
                    n_video += bool(packet.size)
                    self._take(packet)
                    _check_frames(n_video, limits)
                if packet.is_corrupt and packet.stream is video.stream:
                    damage = damage or _lost("a packet is cut short or damaged")
                self._end_s = max(self._end_s, _end_seconds(packet))
        except av.error.FFmpegError as exc:
            return _lost(f"the container breaks off: {type(exc).__name__}: {exc}")
        return damage or self._missing(video, n_video)

    def _take(self, packet: "Packet[Any]") -> None:
        pts = _shown_at(packet)
        if pts is None or packet.is_corrupt or packet.is_discard:
            return
        self.frames[pts] = bool(packet.is_keyframe)
        if pts >= self._latest:
            self._latest, self.last_ticks = pts, packet.duration or 1

    def _missing(self, video: OpenVideo, n_video: int) -> VideoProblem | None:
        said = video.container.duration
        if video.stream.frames > n_video and video.container.format.name != "avi":
            return _lost(f"expected {video.stream.frames} frames, found {n_video}")
        start = Fraction(max(0, video.container.start_time or 0), av.time_base)
        lost = Fraction(said, av.time_base) + start - self._end_s if said else Fraction(0)
        if lost > LOST_SECONDS:
            return _lost(f"the file ends {float(lost):.1f} s before the length in its header")
        return None


def _shown_at(packet: "Packet[Any]") -> int | None:
    """Return when the packet's frame is shown; its dts where nothing else is stated."""
    if not packet.size:
        return None
    return packet.pts if packet.pts is not None else packet.dts


def _require_times(video: OpenVideo) -> None:
    """Refuse a file that stores frames out of order and does not say when each is shown.

    AVI has no such field; for MPEG-4 the stream itself says it, for H.264 libav makes the times up.

    Raises:
        VideoProblem: H.264 or HEVC with B-frames in AVI.
    """
    is_timeless = video.container.format.name == "avi" and bool(video.stream.has_b_frames)
    if is_timeless and codec_name(video.stream) in {"h264", "hevc"}:
        detail = (
            "frames are stored in another order than shown, and without times; "
            "remux the file to MP4 or Matroska"
        )
        raise VideoProblem(Failure.VIDEO_UNSUPPORTED, detail)


def _end_seconds(packet: "Packet[Any]") -> Fraction:
    start = packet.pts if packet.pts is not None else packet.dts
    if start is None:
        return Fraction(0)
    return (start + (packet.duration or 0)) * (packet.time_base or Fraction(0))


def _check_frames(found: int, limits: VideoLimits) -> None:
    if found > limits.max_frames:
        detail = f"expected at most {limits.max_frames} frames, found more"
        raise VideoProblem(Failure.VIDEO_TOO_LARGE, detail)


def _check_length(index: VideoIndex, limits: VideoLimits) -> None:
    length = index.seconds(len(index.pts) - 1)
    if length > limits.max_seconds:
        detail = f"expected at most {limits.max_seconds:g} s, found {length:g} s"
        raise VideoProblem(Failure.VIDEO_TOO_LARGE, detail)


def _lost(detail: str) -> VideoProblem:
    return VideoProblem(Failure.VIDEO_DAMAGED, f"{detail}; what came before it is kept")


def packets(video: OpenVideo) -> "Iterator[Packet[Any]]":
    """Yield the packets of the video stream; a container that breaks off ends them."""
    try:
        yield from video.container.demux(video.stream)
    except av.error.FFmpegError:
        return
