"""The Depth-Anything network: the one place of this family that knows torch.

bf16 is used where the device multiplies it natively; the last layer stays in fp32 either way,
because bf16 has 8 bits where a stored map has 12.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import torch
from transformers import DepthAnythingForDepthEstimation

from infra.images.depth_codec import Direction
from tasks.depth.preprocess import IMAGENET_MEAN, IMAGENET_STD, Preprocessing
from tasks.vision.batching import BatchSizes
from tasks.vision.device import Arrays, Device, InFullPrecision
from tasks.vision.loading import load_network
from tasks.vision.pictures import RGB, Picture, Resample, Size
from tasks.vision.pixels import Pixels
from tasks.vision.runner import Pass, Refused, Runner

PIXELS_PER_PASS: Final = {"cpu": 4 * 518 * 518, "cuda": 64 * 518 * 518}
"""A larger pass is not faster."""


class DepthModel:
    """A loaded network on its device; what `tasks.vision.stages` drives.

    Attributes:
        kind: relative (arbitrary scale) or metric (metres).
        direction: which way values grow.
        preprocessing: what the network sees.
    """

    def __init__(
        self, folder: Path, device: Device, input_px: int, max_tokens: int, resample: Resample
    ) -> None:
        """Load the network.

        Args:
            folder: of the checkpoint.
            device: where it computes.
            input_px: least short side of the input, a multiple of 14.
            max_tokens: most patches of one picture.
            resample: how pictures change size.

        Raises:
            CheckpointError: not a whole Depth-Anything checkpoint.
        """
        net = load_network(
            DepthAnythingForDepthEstimation,
            folder,
            "a Depth-Anything network",
            model_types=("depth_anything",),
        )
        net.head.conv3 = InFullPrecision(net.head.conv3)
        self.kind: str = net.config.depth_estimation_type
        is_metric = self.kind == "metric"
        self.direction = Direction.LARGER_FARTHER if is_metric else Direction.LARGER_NEARER
        self.preprocessing = Preprocessing(input_px, max_tokens, device.precision, resample)
        self._net: Any = device.place(net)
        pixels = Pixels(device, resample, IMAGENET_MEAN, IMAGENET_STD)
        sizes = BatchSizes(PIXELS_PER_PASS[device.torch_device.type])
        self._runner = Runner(device, pixels, sizes)

    @property
    def is_overlapped(self) -> bool:
        """Tell whether the device computes by itself while this process does other work."""
        return self._runner.is_overlapped

    @property
    def threads(self) -> int:
        """Return how many threads should decode and encode."""
        return self._runner.threads

    def size(self, width: int, height: int) -> Size:
        """Return (width, height) of the network's input for a picture."""
        return self.preprocessing.size(width, height)

    def batch_size(self, size: Size) -> int:
        """Return how many pictures of `size` a pass takes."""
        return self._runner.batch_size(size)

    def staged(self, rgb: RGB, size: Size) -> torch.Tensor:
        """Return what is kept of a picture until its pass."""
        return self._runner.staged(rgb, size)

    def infer(
        self, batch: Sequence[tuple[Picture, torch.Tensor]], size: Size
    ) -> list[Pass | Refused]:
        """Begin the passes over pictures of one shape; each says an (H, W) float32 map."""
        return self._runner.infer(batch, size, self._compute, _maps)

    def _compute(
        self, pixels: torch.Tensor, pictures: Sequence[Picture]
    ) -> tuple[torch.Tensor, ...]:
        del pictures
        return (self._net(pixel_values=pixels).predicted_depth,)


def _maps(arrays: Arrays, pictures: Sequence[Picture]) -> Sequence[Any]:
    del pictures
    return list(arrays[0])
