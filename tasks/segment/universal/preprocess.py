"""How large a picture becomes before a universal segmenter sees it, and what may become a segment.

The published size is a short side of 800 and a long side of at most 1333 px; both sides are then
raised to multiples of 32, by stretching, as `transformers` does it (`Mask2FormerImageProcessor`,
`size_divisor`): no padding, so masks need no cropping.
"""

import math
from dataclasses import dataclass
from typing import Final

from tasks.segment.families import Task
from tasks.vision.sizes import shorter_side_to

DIVISOR: Final = 32
"""The total stride of the encoders (Swin, ResNet)."""
LONGEST_PER_SHORTEST: Final = 1333 / 800
MASK_THRESHOLD: Final = 0.5
"""A pixel is inside a mask from this probability on, as in the official inference."""
MIN_VISIBLE: Final = 0.8
"""Least share of a panoptic mask that no better mask covers (`OVERLAP_THRESHOLD`)."""


@dataclass(frozen=True, slots=True)
class QueryRule:
    """Which queries become segments.

    Attributes:
        task: what the masks are combined to.
        min_score: least score of a segment.
        fuse: names of the labels whose panoptic segments are one.
    """

    task: Task
    min_score: float
    fuse: tuple[str, ...] = ()


def input_size(width: int, height: int, shortest_px: int) -> tuple[int, int]:
    """Return (width, height) of the network's input for a picture, both multiples of 32."""
    longest_px = round(shortest_px * LONGEST_PER_SHORTEST)
    wide, high = shorter_side_to(width, height, shortest_px, longest_px)
    return (_raised(wide), _raised(high))


def _raised(side: int) -> int:
    return math.ceil(side / DIVISOR) * DIVISOR
