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
from tasks.vision.attention import use_head_by_head
from tasks.vision.batching import BatchSizes
from tasks.vision.device import Arrays, Device, InFullPrecision
from tasks.vision.driven import DrivenNetwork
from tasks.vision.loading import load_network
from tasks.vision.pictures import Picture, Resample, Size
from tasks.vision.pixels import Pixels
from tasks.vision.runner import Runner

PIXELS_PER_PASS: Final = {"cpu": 518 * 518, "cuda": 64 * 518 * 518}
"""A larger pass is not faster."""


class DepthModel(DrivenNetwork):
    """A loaded network on its device; as `tasks.vision.stages` drives it.

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
        if device.is_bf16_on_cpu:
            use_head_by_head(net.backbone)
        self._net: Any = device.place(net)
        pixels = Pixels(device, resample, IMAGENET_MEAN, IMAGENET_STD)
        sizes = BatchSizes(PIXELS_PER_PASS[device.torch_device.type])
        super().__init__(Runner(device, pixels, sizes))

    def size(self, width: int, height: int) -> Size:
        """Return (width, height) of the network's input for a picture."""
        return self.preprocessing.size(width, height)

    def compute(self, pixels: torch.Tensor, pictures: Sequence[Picture]) -> Sequence[torch.Tensor]:
        """Return (N, H, W) maps."""
        del pictures
        return (self._net(pixel_values=pixels).predicted_depth,)

    def said(self, arrays: Arrays, pictures: Sequence[Picture]) -> Sequence[Any]:
        """Return an (H, W) float32 map per picture."""
        del pictures
        return list(arrays[0])
