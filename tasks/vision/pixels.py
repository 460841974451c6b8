"""From decoded pixels to the network's input: staged in decode threads, finished on the device.

On CUDA the whole picture travels as uint8 and is resized there; on a CPU the decode thread resizes
it with the reference implementations themselves (OpenCV, Pillow), which are several times faster
than torch's kernels for one picture.  The tests hold both paths to each other: `official` within
0.01 of a level, `antialias` within one level.
"""

from collections.abc import Sequence

import cv2
import numpy as np
import torch
from torch.nn import functional

from infra.images.pixels import resize_bicubic
from tasks.vision.device import Device
from tasks.vision.pictures import RGB, Resample, Size

WHITE = 255.0


class Pixels:
    """Makes batches for one network on one device."""

    def __init__(
        self,
        device: Device,
        resample: Resample,
        mean: Sequence[float],
        std: Sequence[float],
    ) -> None:
        """Prepare the constants.

        Args:
            device: of the network.
            resample: how sizes change.
            mean: per channel, of pixels in 0..1.
            std: per channel, of pixels in 0..1.
        """
        self._device = device
        self._resample = resample
        self._mean = torch.tensor(mean, device=device.torch_device).view(1, 3, 1, 1) * WHITE
        self._std = torch.tensor(std, device=device.torch_device).view(1, 3, 1, 1) * WHITE

    def staged(self, rgb: RGB, size: Size) -> torch.Tensor:
        """Return what is kept of a picture until its batch is run; called in decode threads.

        Returns:
            (H, W, 3): on CUDA uint8 of the original size, pinned; on a CPU of `size`.
        """
        if self._device.is_cuda:
            return self._device.staged(rgb)
        return torch.from_numpy(resized_on_host(rgb, size, self._resample))

    def batch(self, staged: Sequence[torch.Tensor], size: Size) -> torch.Tensor:
        """Return (N, 3, H, W) normalised float32 on the device, channels last."""
        width, height = size
        shape = (len(staged), 3, height, width)
        pixels = torch.empty(
            shape, device=self._device.torch_device, memory_format=torch.channels_last
        )
        for row, picture in zip(pixels, staged, strict=True):
            there = picture.to(self._device.torch_device, non_blocking=True)
            row.copy_(resized_on_device(there, size, self._resample))
        return pixels.sub_(self._mean).div_(self._std)


def resized_on_host(rgb: RGB, size: Size, resample: Resample) -> np.ndarray:
    """Return (H, W, 3) at `size` (width, height): float32 levels, or uint8 if Pillow rounded."""
    if (rgb.shape[1], rgb.shape[0]) == size:
        return rgb if rgb.flags.writeable else rgb.copy()
    if resample is Resample.ANTIALIAS:
        return np.array(resize_bicubic(rgb, *size))
    levels = cv2.resize(rgb.astype(np.float32), size, interpolation=cv2.INTER_CUBIC)
    return np.asarray(levels, dtype=np.float32)


def resized_on_device(pixels: torch.Tensor, size: Size, resample: Resample) -> torch.Tensor:
    """Return (3, H, W) float32 levels at `size` of (H, W, 3) pixels, where they are."""
    planes = pixels.permute(2, 0, 1).float()
    width, height = size
    if planes.shape[1:] == (height, width):
        return planes
    if resample is Resample.OFFICIAL:
        return functional.interpolate(planes[None], size=(height, width), mode="bicubic")[0]
    across = _filtered(planes, (planes.shape[1], width))  # Pillow rounds and clips in between
    return _filtered(across, (height, width))


def _filtered(planes: torch.Tensor, sides: tuple[int, int]) -> torch.Tensor:
    levels = functional.interpolate(planes[None], size=sides, mode="bicubic", antialias=True)[0]
    return levels.round_().clamp_(0, WHITE)
