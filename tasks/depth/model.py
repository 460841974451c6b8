"""The Depth-Anything network: the one place of this family that knows torch.

Pixels travel to the device as uint8 and are normalised there.  bf16 is used on a GPU; on a CPU it
is faster only with the right instructions and changes the numbers, so there it must be asked for.
The last layer stays in fp32 either way.
Missing or misshapen tensors are an error here: `transformers` would fill them with noise and warn.
"""

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import torch
from safetensors import SafetensorError
from transformers import DepthAnythingForDepthEstimation
from transformers.utils import logging

from infra.images.depth_codec import Direction
from sightline.errors import CheckpointError
from tasks.depth.preprocess import IMAGENET_MEAN, IMAGENET_STD

RGB = npt.NDArray[np.uint8]
Maps = npt.NDArray[np.float32]

PRECISIONS: Final = ("auto", "fp32", "bf16")


class DepthModel:
    """A loaded network.

    Attributes:
        kind: relative (arbitrary scale) or metric (metres).
        direction: which way values grow.
        precision: fp32 or bf16, as resolved for the device.
    """

    def __init__(self, folder: Path, *, device: str = "auto", precision: str = "auto") -> None:
        if precision not in PRECISIONS:
            msg = f"precision: expected one of {PRECISIONS}, found {precision!r}"
            raise CheckpointError(msg)
        self._device = torch.device(_device_name(device))
        on_gpu = self._device.type == "cuda"
        self.precision = ("bf16" if on_gpu else "fp32") if precision == "auto" else precision
        self._net = _load(folder)
        self._net.head.conv3 = _InFullPrecision(self._net.head.conv3)
        self._net.to(self._device, memory_format=torch.channels_last).eval()
        self.kind: str = self._net.config.depth_estimation_type
        is_metric = self.kind == "metric"
        self.direction = Direction.LARGER_FARTHER if is_metric else Direction.LARGER_NEARER
        self._mean = torch.tensor(IMAGENET_MEAN, device=self._device) * 255
        self._std = torch.tensor(IMAGENET_STD, device=self._device) * 255

    @torch.inference_mode()
    def infer(self, pictures: Sequence[RGB]) -> Maps:
        """Return (N, H, W) float32 maps at the size of the pictures, which must all be equal."""
        pixels = torch.from_numpy(np.stack(pictures)).to(self._device)
        normal = ((pixels.float() - self._mean) / self._std).permute(0, 3, 1, 2)
        with self._autocast():
            maps = self._net(pixel_values=normal).predicted_depth
        return np.asarray(maps.float().cpu().numpy())

    def _autocast(self) -> AbstractContextManager[object]:
        if self.precision == "bf16":
            return torch.autocast(self._device.type, dtype=torch.bfloat16)
        return nullcontext()


class _InFullPrecision(torch.nn.Module):
    """The last layer, kept out of autocast: bf16 has 8 bits where a stored map has 12."""

    def __init__(self, layer: torch.nn.Module) -> None:
        super().__init__()
        self._layer = layer

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Return the layer's output in float32."""
        with torch.autocast(features.device.type, enabled=False):
            out: torch.Tensor = self._layer(features.float())
        return out


def use_threads(threads: int) -> None:
    """Limit the cores torch computes on in this process; 0 leaves them as they are."""
    if threads > 0:
        torch.set_num_threads(threads)


def _device_name(device: str) -> str:
    return ("cuda" if torch.cuda.is_available() else "cpu") if device == "auto" else device


def _load(folder: Path) -> Any:
    transformers_logging: Any = logging
    transformers_logging.disable_progress_bar()  # a worker has no terminal
    try:
        loaded: Any = DepthAnythingForDepthEstimation.from_pretrained(
            folder, local_files_only=True, use_safetensors=True, output_loading_info=True
        )
    except (OSError, ValueError, KeyError, RuntimeError, SafetensorError) as exc:
        msg = f"{folder}: expected a Depth-Anything checkpoint of transformers: {exc}"
        raise CheckpointError(msg) from exc
    net, report = loaded  # the stubs know nothing of output_loading_info
    wrong = {name: sorted(map(str, report[name])) for name in ("missing_keys", "mismatched_keys")}
    if any(wrong.values()) or net.config.model_type != "depth_anything":
        msg = f"{folder}: not a whole Depth-Anything checkpoint: {wrong}"
        raise CheckpointError(msg)
    return net
