"""Words that all image workers share: a picture, a size, and how pixels are resampled.

`official` is OpenCV's `INTER_CUBIC` (a = -0.75, no filter when a picture shrinks) on float pixels,
as the official script of Depth-Anything-V2 does it; `antialias` is Pillow's bicubic (a = -0.5,
filtered when it shrinks, rounded to whole levels), as most processors of `transformers` do it.
The two differ most where a large picture shrinks, so the choice is part of every identity.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import numpy as np
import numpy.typing as npt

RGB = npt.NDArray[np.uint8]
"""(H, W, 3), upright."""

Size = tuple[int, int]
"""(width, height) in px."""


class Resample(StrEnum):
    """How a picture is brought to the size that the network sees."""

    OFFICIAL = "official"
    ANTIALIAS = "antialias"


@dataclass(frozen=True, slots=True)
class Picture:
    """One row on its way to a network.

    Attributes:
        row: its place in the batch.
        image_id: of the row.
        width: of the upright original, px.
        height: of the upright original, px.
        columns: other values of the input row, such as boxes that prompt the network.
    """

    row: int
    image_id: str
    width: int
    height: int
    columns: Mapping[str, Any] = field(default_factory=dict)
