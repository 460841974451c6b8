"""Bilinear resampling, as segmenters and detectors were trained with; depth has its own.

`BILINEAR` is Pillow's, filtered when a picture shrinks and rounded to whole levels: what
`transformers` does for SAM 2, Mask2Former and Grounding DINO.  `PADDED_SQUARE` is OWLv2's: black
is added below and to the right up to a square, a Gaussian filters what shrinks, then bilinear
(scikit-image's `resize(anti_aliasing=True)`).  Black and not the grey of OWL-ViT: OWLv2 was trained
with it, and scores 44.0 instead of 43.4 mAP on LVIS (huggingface/transformers#41938).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
import torch
from PIL import Image
from torch.nn import functional

from tasks.vision.device import Device
from tasks.vision.pictures import RGB, Resample, Size
from tasks.vision.pixels import WHITE, Pixels

TRUNCATE: Final = 4.0
"""Standard deviations at which the Gaussian ends, the default of `scipy.ndimage`."""


@dataclass(frozen=True, slots=True)
class Resampler:
    """One rule, for both places where pixels may lie.

    Attributes:
        on_host: (H, W, 3) uint8 and a size (width, height) to (height, width, 3) levels.
        on_device: (3, H, W) float32 levels and a size to (3, height, width) levels.
    """

    on_host: Callable[[RGB, Size], np.ndarray]
    on_device: Callable[[torch.Tensor, Size], torch.Tensor]


class ResampledPixels(Pixels):
    """Makes batches by a rule of this module."""

    def __init__(
        self, device: Device, resampler: Resampler, mean: Sequence[float], std: Sequence[float]
    ) -> None:
        """Prepare the constants; `mean` and `std` are per channel, of pixels in 0..1."""
        super().__init__(device, Resample.ANTIALIAS, mean, std)
        self._resampler = resampler

    def staged(self, rgb: RGB, size: Size) -> torch.Tensor:
        """Return what is kept of a picture until its batch is run; called in decode threads."""
        if self._device.is_cuda:
            return self._device.staged(rgb)
        return torch.from_numpy(self._resampler.on_host(rgb, size))

    def batch(self, staged: Sequence[torch.Tensor], size: Size) -> torch.Tensor:
        """Return (N, 3, H, W) normalised float32 on the device, channels last."""
        width, height = size
        pixels = torch.empty(
            (len(staged), 3, height, width),
            device=self._device.torch_device,
            memory_format=torch.channels_last,
        )
        for row, picture in zip(pixels, staged, strict=True):
            there = picture.to(self._device.torch_device, non_blocking=True)
            levels = there.permute(2, 0, 1).float()
            row.copy_(self._resampler.on_device(levels, size) if self._device.is_cuda else levels)
        return pixels.sub_(self._mean).div_(self._std)


def _bilinear_on_host(rgb: RGB, size: Size) -> np.ndarray:
    return np.array(Image.fromarray(rgb).resize(size, Image.Resampling.BILINEAR))


def _bilinear_on_device(levels: torch.Tensor, size: Size) -> torch.Tensor:
    sides = (size[1], size[0])
    resized = functional.interpolate(levels[None], size=sides, mode="bilinear", antialias=True)
    return resized[0].round_()


def _square_on_host(rgb: RGB, size: Size) -> np.ndarray:
    height, width = rgb.shape[:2]
    side = max(height, width)
    square = np.zeros((side, side, 3), dtype=np.float32)
    square[:height, :width] = rgb
    sigma, radius = _blur_of(side, size)
    if radius:
        taps = (2 * radius + 1, 2 * radius + 1)
        square = np.asarray(
            cv2.GaussianBlur(square, taps, sigma, borderType=cv2.BORDER_REFLECT_101)
        )
    return np.asarray(cv2.resize(square, size, interpolation=cv2.INTER_LINEAR), dtype=np.float32)


def _square_on_device(levels: torch.Tensor, size: Size) -> torch.Tensor:
    height, width = levels.shape[1:]
    side = max(height, width)
    square = functional.pad(levels, (0, side - width, 0, side - height))[None]
    sigma, radius = _blur_of(side, size)
    if radius:
        square = _blurred(square, sigma, radius)
    sides = (size[1], size[0])
    return functional.interpolate(square, size=sides, mode="bilinear")[0].clamp_(0, WHITE)


def _blur_of(side: int, size: Size) -> tuple[float, int]:
    """Return standard deviation and radius in px of the filter before a square shrinks."""
    sigma = max(0.0, (side / size[0] - 1) / 2)
    return sigma, int(TRUNCATE * sigma + 0.5)


def _blurred(square: torch.Tensor, sigma: float, radius: int) -> torch.Tensor:
    steps = torch.arange(-radius, radius + 1, device=square.device, dtype=torch.float32)
    weights = torch.exp(-0.5 * (steps / sigma) ** 2)
    kernel = (weights / weights.sum()).expand(square.shape[1], 1, -1)
    wide = functional.pad(square, (radius, radius, radius, radius), mode="reflect")
    across = functional.conv2d(wide, kernel[:, :, None, :], groups=square.shape[1])
    return functional.conv2d(across, kernel[:, :, :, None], groups=square.shape[1])


BILINEAR: Final = Resampler(_bilinear_on_host, _bilinear_on_device)
PADDED_SQUARE: Final = Resampler(_square_on_host, _square_on_device)
