"""An image encoder of transformers, such as DINOv2: knows torch, lives on a worker.

The embedding is what the encoder pools (for DINOv2 its class token after the last norm, which its
authors compare pictures by: arXiv:2304.07193, section 7.3), else its first token; of length 1.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from transformers import AutoModel

from sightline.errors import CheckpointError
from tasks.dedup.copies.pictures import IMAGENET_MEAN, IMAGENET_STD, RGB
from tasks.vision.device import torch_device
from tasks.vision.loading import load_network

Embeddings = npt.NDArray[np.float32]


class ImageEmbeddingModel:
    """A loaded encoder.

    Attributes:
        input_px: sides of the squares it is given.
    """

    def __init__(self, folder: Path, *, input_px: int, device: str = "auto") -> None:
        self._device = torch_device(device)
        self._net = _load(folder)
        self.input_px = input_px
        _check_side(folder, self._net.config, input_px)
        self._net.to(self._device).eval()
        self._mean = torch.tensor(IMAGENET_MEAN, device=self._device) * 255
        self._std = torch.tensor(IMAGENET_STD, device=self._device) * 255

    @torch.inference_mode()
    def embed(self, squares: Sequence[RGB]) -> Embeddings:
        """Return (n, d) float32 of length 1, one per (input_px, input_px, 3) picture, n > 0."""
        pixels = torch.from_numpy(np.stack(squares)).to(self._device)
        normal = ((pixels.float() - self._mean) / self._std).permute(0, 3, 1, 2)
        found = _pooled(self._net(pixel_values=normal.contiguous()))
        return np.asarray(torch.nn.functional.normalize(found.float(), dim=1).cpu().numpy())


def _pooled(output: Any) -> torch.Tensor:
    """Return (n, d): convolutional networks pool to (n, d, 1, 1)."""
    pooled: torch.Tensor | None = getattr(output, "pooler_output", None)
    return output.last_hidden_state[:, 0] if pooled is None else pooled.flatten(1)


def _check_side(folder: Path, config: Any, input_px: int) -> None:
    patch = getattr(config, "patch_size", None)
    if isinstance(patch, int) and input_px % patch:
        msg = f"{folder}: expected a side that is a multiple of {patch} px, found {input_px}"
        raise CheckpointError(msg)


def _load(folder: Path) -> Any:
    net = load_network(AutoModel, folder, "an image encoder")
    if net.main_input_name != "pixel_values":
        found = net.config.model_type
        msg = f"{folder}: expected an image encoder, found {found!r}, which reads no pictures"
        raise CheckpointError(msg)
    return net
