"""Which frames of a video become rows: a grid in time, key frames, or so many spread evenly.

A grid asks what a player shows at 0, s, 2 s, ...: the last frame not later than that.  A still
stretch of a variable frame rate is one frame, however many times of the grid fall on it.  Times are
compared as exact fractions, so 29.97 frames a second stay 29.97.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from infra.video.index import VideoIndex
from sightline.errors import UsageError


@dataclass(frozen=True, slots=True)
class FrameChoice:
    """What the recipe asks for; at least one of the four.

    Attributes:
        every_s: seconds between times.
        fps: times in a second; instead of `every_s`.
        max_frames: most frames of a file, spread evenly over those chosen.
        keyframes: only frames that are decoded alone.
    """

    every_s: float | None = None
    fps: float | None = None
    max_frames: int | None = None
    keyframes: bool = False

    def __post_init__(self) -> None:
        """Refuse a choice that says nothing, or two things.

        Raises:
            UsageError: with what to give.
        """
        if self.every_s is not None and self.fps is not None:
            msg = f"expected every_s or fps, found both: {self.every_s!r} and {self.fps!r}"
            raise UsageError(msg)
        for name in ("every_s", "fps", "max_frames"):
            value = getattr(self, name)
            if value is not None and not 0 < value < float("inf"):
                msg = f"{name} of a video source must be above 0, found {value!r}"
                raise UsageError(msg)
        if self.step_s is None and self.max_frames is None and not self.keyframes:
            msg = "a video source needs every_s, fps, max_frames or keyframes: true, found none"
            raise UsageError(msg)

    @property
    def step_s(self) -> Fraction | None:
        """Return seconds between times, exactly; None without a grid."""
        if self.every_s is not None:
            return Fraction(str(self.every_s))
        return None if self.fps is None else 1 / Fraction(str(self.fps))

    def numbers(self, index: VideoIndex) -> list[int]:
        """Return the numbers of the chosen frames, rising."""
        found: Sequence[int] = range(len(index.pts))
        if self.keyframes:
            found = np.searchsorted(index.pts, index.keys).tolist()
        if self.step_s is not None:
            found = _on_grid(index, found, self.step_s / index.tick)
        return spread(found, self.max_frames)


def spread(numbers: Sequence[int], most: int | None) -> list[int]:
    """Return at most `most` of `numbers`: the middles of as many equal stretches."""
    n = len(numbers)
    if most is None or n <= most:
        return list(numbers)
    return [numbers[(2 * i + 1) * n // (2 * most)] for i in range(most)]


def _on_grid(index: VideoIndex, numbers: Sequence[int], step: Fraction) -> list[int]:
    """Return those of `numbers` that are shown at a multiple of `step` ticks."""
    starts = [int(index.pts[n] - index.pts[0]) for n in numbers]
    end = int(index.pts[-1] - index.pts[0]) + index.last_ticks
    ends = [*starts[1:], max(end, starts[-1] + 1)] if starts else []
    a, b = step.numerator, step.denominator
    return [
        number
        for number, start, after in zip(numbers, starts, ends, strict=True)
        if -(-start * b // a) * a < after * b  # the first multiple not before `start`
    ]
