"""From a picture to the input of an embedded network: exactly what `card.json` states.

The short side becomes `input_px`, the aspect is kept, both sides are rounded to the multiple that
the network needs; bicubic in Pillow; then 0..1 and ImageNet mean and deviation.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image

IMAGENET_MEAN: Final = (0.485, 0.456, 0.406)
IMAGENET_STD: Final = (0.229, 0.224, 0.225)


@dataclass(frozen=True, slots=True)
class ResizeRule:
    """How large a picture becomes.

    Attributes:
        input_px: length of the short side.
        multiple: both sides are multiples of it.
    """

    input_px: int
    multiple: int

    def size(self, width: int, height: int) -> tuple[int, int]:
        """(width, height) after resizing."""
        scale = self.input_px / min(width, height)
        return self._rounded(width * scale), self._rounded(height * scale)

    def _rounded(self, side: float) -> int:
        return max(self.multiple, round(side / self.multiple) * self.multiple)


DEPTH_RULE: Final = ResizeRule(input_px=126, multiple=14)
"""126 = 9 x 14; a 256 x 192 picture becomes 168 x 126."""

SEGMENT_RULE: Final = ResizeRule(input_px=192, multiple=32)
"""A 256 x 192 picture keeps its size."""


def resized(rgb: npt.NDArray[np.uint8], rule: ResizeRule) -> npt.NDArray[np.uint8]:
    """The picture at the size that `rule` gives, uint8."""
    height, width = rgb.shape[:2]
    size = rule.size(width, height)
    if size == (width, height):
        return rgb
    return np.asarray(Image.fromarray(rgb).resize(size, Image.Resampling.BICUBIC))


def normalised(rgb: torch.Tensor) -> torch.Tensor:
    """(B, H, W, 3) of 0..255 as (B, 3, H, W) float32 with ImageNet statistics, channels last."""
    mean, std = torch.tensor(IMAGENET_MEAN), torch.tensor(IMAGENET_STD)
    return ((rgb.float() / 255 - mean) / std).permute(0, 3, 1, 2)
