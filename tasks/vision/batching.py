"""How many pictures one forward pass takes: from measured memory, halved when it did not fit.

Pictures of one shape share a pass, since padding would change the numbers.  Memory of a pass grows
with its pixels, so one number, bytes per pixel, is learnt from the passes themselves.  Pure: the
device tells what is free and what a pass took.
"""

import threading
from typing import Final

from tasks.vision.pictures import Size

USABLE_SHARE: Final = 0.7
"""Of the free memory; the rest is for fragments, kernels' workspaces and the next upload."""

FIRST_BATCH: Final = 4
"""Pictures of the first pass, from which the memory of a pixel is learnt."""


class BatchSizes:
    """The largest batch per shape; safe to use from several threads."""

    def __init__(self, most_pixels: int, *, most: int = 64) -> None:
        """Start with what a device of unknown memory should manage.

        Args:
            most_pixels: pixels of a pass beyond which it gets no faster.
            most: pictures of a pass.
        """
        self._most_pixels = most_pixels
        self._most = most
        self._bytes_per_pixel = 0.0
        self._lock = threading.Lock()

    def size(self, shape: Size, free_bytes: int | None = None) -> int:
        """Return how many pictures of `shape` one pass takes, at least 1.

        Args:
            shape: of the network's input.
            free_bytes: of the device; None where memory is not the limit (a CPU).
        """
        pixels = shape[0] * shape[1]
        with self._lock:
            limit = min(self._most, self._most_pixels // pixels)
            if free_bytes is not None and self._bytes_per_pixel:
                fits = USABLE_SHARE * free_bytes / (self._bytes_per_pixel * pixels)
                limit = min(limit, int(fits))
            elif free_bytes is not None:
                limit = min(limit, FIRST_BATCH)
        return max(1, limit)

    def learn(self, shape: Size, pictures: int, used_bytes: int) -> None:
        """Record what a pass took at its peak; the largest ever seen counts."""
        taken = used_bytes / (pictures * shape[0] * shape[1])
        with self._lock:
            self._bytes_per_pixel = max(self._bytes_per_pixel, taken)

    def halve(self, shape: Size, pictures: int) -> None:
        """Record that a pass of `pictures` did not fit; no later one is over half its pixels."""
        with self._lock:
            half = max(1, pictures // 2) * shape[0] * shape[1]
            self._most_pixels = min(self._most_pixels, half)
