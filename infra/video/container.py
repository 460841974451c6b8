"""Opens a video that nobody vouches for: known formats and decoders only, from an open file.

libav would follow what a file names (playlists, references, addresses) and guess at anything.  So
it gets an open file instead of a path, no protocol to open another, and a list of demuxers and
decoders; a file that needs something else is refused with its name.  Sizes are limited before a
decoder allocates anything.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import BinaryIO, Final

import av
import av.container
import av.error
from av.stream import Disposition
from av.video.stream import VideoStream

from infra.images.decode import MAX_PIXELS
from sightline.errors import Failure, clip_detail

FORMATS: Final = (
    "mov,mp4,m4a,3gp,3g2,mj2", "matroska,webm", "avi", "mpegts", "mpeg", "flv", "asf", "ogg",
)  # fmt: skip
"""Demuxers that read one file and nothing it points at, as libav names them."""

DECODERS: Final = (
    "dvvideo", "ffv1", "flv", "h263", "h264", "hevc", "huffyuv", "libdav1d", "mjpeg", "mpeg1video",
    "mpeg2video", "mpeg4", "msmpeg4", "msmpeg4v1", "msmpeg4v2", "prores", "theora", "utvideo",
    "vc1", "vp8", "vp9", "wmv1", "wmv2", "wmv3",
)  # fmt: skip
"""Decoders that see foreign bytes, as libav names them; libdav1d decodes AV1."""

MAX_SECONDS: Final = 6 * 3600.0
MAX_FRAMES: Final = 2_000_000
"""Six hours at 90 frames a second."""
BUFFER_BYTES: Final = 1 << 18
PROBE_BYTES: Final = 5_000_000


@dataclass(frozen=True, slots=True)
class VideoLimits:
    """What a video may be.

    Attributes:
        max_pixels: most pixels of a frame.
        max_seconds: longest time between the first frame and the last.
        max_frames: most frames in the file, chosen or not.
    """

    max_pixels: int = MAX_PIXELS
    max_seconds: float = MAX_SECONDS
    max_frames: int = MAX_FRAMES


class VideoProblem(Exception):  # noqa: N818 - a verdict on one file, not a fault of the program
    """A video, or a frame of it, cannot be used; `code` and `detail` go into `failures`."""

    def __init__(self, code: Failure, detail: str) -> None:
        super().__init__(code, detail)
        self.code = code
        self.detail = clip_detail(detail)


@dataclass(frozen=True, slots=True)
class OpenVideo:
    """An open container and the video stream that counts: the first that is no cover picture."""

    container: av.container.InputContainer
    stream: VideoStream


@contextmanager
def open_video(file: BinaryIO, limits: VideoLimits) -> Iterator[OpenVideo]:
    """Give the video in `file`, ready to be demuxed, and close the container afterwards.

    Raises:
        VideoProblem: no video that may be opened here.
    """
    container = _container(file, limits)
    with container:
        yield OpenVideo(container, _stream(container, limits))


def _container(file: BinaryIO, limits: VideoLimits) -> av.container.InputContainer:
    options = {
        "format_whitelist": ",".join(FORMATS),
        "codec_whitelist": ",".join(DECODERS),
        "protocol_whitelist": "none",
        "probesize": str(PROBE_BYTES),
        "max_pixels": str(limits.max_pixels),
    }
    try:
        return av.open(file, "r", options=options, metadata_errors="replace",
                       buffer_size=BUFFER_BYTES)  # fmt: skip
    except av.error.ArgumentError as exc:  # what libav says of a format outside its list
        detail = f"expected a video in one of {FORMATS}, found another format"
        raise VideoProblem(Failure.VIDEO_UNSUPPORTED, detail) from exc
    except (av.error.FFmpegError, ValueError, OSError) as exc:
        detail = f"no demuxer reads the header: {type(exc).__name__}: {exc}"
        raise VideoProblem(Failure.VIDEO_UNREADABLE, detail) from exc


def _stream(container: av.container.InputContainer, limits: VideoLimits) -> VideoStream:
    found = [s for s in container.streams.video if not _is_cover(s)]
    if not found:
        kinds = ", ".join(sorted({s.type for s in container.streams}))
        detail = f"expected a video stream, found {kinds or 'nothing'}"
        raise VideoProblem(Failure.VIDEO_UNSUPPORTED, detail)
    stream = found[0]
    name = codec_name(stream)
    if name not in DECODERS:
        detail = f"expected one of the decoders {', '.join(DECODERS)}, found {name!r}"
        raise VideoProblem(Failure.VIDEO_UNSUPPORTED, detail)
    check_size(stream.width or 0, stream.height or 0, limits.max_pixels)
    return stream


def codec_name(stream: VideoStream) -> str:
    """Return libav's name of the decoder, or of what no decoder is there for."""
    return getattr(stream.codec_context, "name", None) or "unknown"


def check_size(width: int, height: int, max_pixels: int) -> None:
    """Refuse a frame of more than `max_pixels`.

    Raises:
        VideoProblem: with `VIDEO_TOO_LARGE`.
    """
    if width * height > max_pixels:
        detail = f"expected frames of at most {max_pixels} pixels, found {width} x {height}"
        raise VideoProblem(Failure.VIDEO_TOO_LARGE, detail)


def _is_cover(stream: VideoStream) -> bool:
    """Return whether the stream is a still picture that comes with music."""
    return bool(stream.disposition & Disposition.attached_pic)
