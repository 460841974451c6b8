"""How large a picture becomes before a semantic segmenter sees it.

The short side becomes `input_px`, the aspect is kept, both sides are rounded to multiples of 32,
the total stride of hierarchical encoders such as SegFormer (arXiv:2105.15203, section 3.1).  Masks
are stored at this size, so it is also the grid that areas in `segments` count.
"""

import math
from dataclasses import dataclass
from typing import Final

STRIDE: Final = 32
MAX_ASPECT: Final = 8.0
"""Longer pictures are squeezed to it along their long side."""
MIN_AREA_PX: Final = 16
"""Smaller regions leave nothing to measure once their rim is taken off."""


@dataclass(frozen=True, slots=True)
class MaskRule:
    """What becomes a segment.

    Attributes:
        input_px: length of the short side of the mask grid.
        min_area_frac: least area of a segment, as a share of the grid.
        max_segments: most segments of one picture; the largest are kept.
        background: labels that are no objects.
    """

    input_px: int
    min_area_frac: float = 0.001
    max_segments: int = 32
    background: tuple[str, ...] = ("background",)

    def __post_init__(self) -> None:
        """Refuse sizes that fit no picture."""
        if self.input_px < STRIDE:
            msg = f"input_px: expected at least {STRIDE}, found {self.input_px}"
            raise ValueError(msg)

    def size(self, width: int, height: int) -> tuple[int, int]:
        """Return (width, height) of the grid for a picture."""
        scale = max(self.input_px / width, self.input_px / height)
        limit = MAX_ASPECT * self.input_px
        return (_rounded(min(scale * width, limit)), _rounded(min(scale * height, limit)))

    def min_area_px(self, width: int, height: int) -> int:
        """Return the least area of a segment on a grid."""
        return max(MIN_AREA_PX, math.ceil(self.min_area_frac * width * height))


def _rounded(side: float) -> int:
    return max(STRIDE, round(side / STRIDE) * STRIDE)
