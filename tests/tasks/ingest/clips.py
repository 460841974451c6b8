"""Makes small video files: a bar of one colour whose green tells the frame's number."""

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

GREEN_STEP = 4
SIZE = (96, 64)
MS = Fraction(1, 1000)
BIT_RATE = 4_000_000
"""So much for a small picture that no codec blurs its colours."""


def picture(number: int, size: tuple[int, int] = SIZE) -> np.ndarray:
    """Red above, blue to the left of both halves, green by number."""
    width, height = size
    rgb = np.zeros((height, width, 3), np.uint8)
    rgb[: height // 2, :, 0] = 255
    rgb[:, : width // 4] = (0, 0, 255)
    rgb[..., 1] = number * GREEN_STEP % 256
    return rgb


def number_of(rgb: np.ndarray) -> int:
    """Return the number of the frame that `rgb` shows, up to losses of the codec."""
    return round(float(rgb[-20:-4, -20:-4, 1].mean()) / GREEN_STEP)


def clip(  # noqa: PLR0913 - what a video can be
    path: Path,
    codec: str = "libx264",
    *,
    times_ms: Sequence[int] = tuple(range(0, 1200, 40)),
    size: tuple[int, int] = SIZE,
    pix_fmt: str = "yuv420p",
    rotation: int = 0,
    pixel_shape: Fraction | None = None,
    numbers: Sequence[int] | None = None,
    gop: int = 8,
    **codec_options: Any,
) -> Path:
    """Write a video with a frame at each of `times_ms`; the suffix says the container."""
    container_options = {"movflags": "faststart"} if path.suffix in {".mp4", ".mov"} else {}
    options = {"g": str(gop)} | {k: str(v) for k, v in codec_options.items()}
    with av.open(str(path), "w", container_options=container_options) as out:
        stream: Any = out.add_stream(codec, rate=25, options=options)
        stream.width, stream.height, stream.pix_fmt = *size, pix_fmt
        stream.codec_context.time_base = MS
        stream.bit_rate = BIT_RATE
        if pixel_shape is not None:
            stream.codec_context.sample_aspect_ratio = pixel_shape
        if rotation:
            stream.set_display_rotation(rotation)
        for place, at in enumerate(times_ms):
            number = numbers[place] if numbers else place
            frame = av.VideoFrame.from_ndarray(picture(number, size), "rgb24")
            frame.pts, frame.time_base = at, MS
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return path


def sound(path: Path) -> Path:
    """Write an audio file in a container of videos."""
    with av.open(str(path), "w") as out:
        stream: Any = out.add_stream("aac", rate=16000, layout="mono")
        for block in range(20):
            samples = np.zeros((1, 1024), np.float32)
            frame = av.AudioFrame.from_ndarray(samples, "fltp", "mono")
            frame.sample_rate, frame.pts = 16000, block * 1024
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return path
