"""A semantic segmenter: the one place of this family that knows torch.

Any network that `AutoModelForSemanticSegmentation` loads will do.  Logits come at a fraction of the
input size; they are brought to the grid before the softmax, so that a score is the probability at
that pixel.  Missing or misshapen tensors are an error: `transformers` would fill them with noise.
"""

import json
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import torch
from safetensors import SafetensorError
from torch.nn import functional
from transformers import AutoModelForSemanticSegmentation
from transformers.utils import logging

from sightline.errors import CheckpointError

RGB = npt.NDArray[np.uint8]

IMAGENET_MEAN: Final = (0.485, 0.456, 0.406)
IMAGENET_STD: Final = (0.229, 0.224, 0.225)
PROCESSOR: Final = "preprocessor_config.json"
"""Where a published checkpoint states other means than ImageNet's, as BEiT does."""


@dataclass(frozen=True, slots=True)
class LabelMap:
    """What the network says about one picture.

    Attributes:
        labels: (H, W) index of the most probable label.
        scores: (H, W) float32, its probability.
    """

    labels: npt.NDArray[np.intp]
    scores: npt.NDArray[np.float32]


class SegmentModel:
    """A loaded network; `names` holds its labels by index."""

    def __init__(self, folder: Path, *, device: str = "auto") -> None:
        has_gpu = torch.cuda.is_available()
        self._device = torch.device(("cuda" if has_gpu else "cpu") if device == "auto" else device)
        self._net = _load(folder)
        self._net.to(self._device).eval()
        id2label: dict[int, str] = self._net.config.id2label
        self.names: tuple[str, ...] = tuple(id2label[i] for i in range(len(id2label)))
        mean, std = _statistics(folder)
        self._mean = torch.tensor(mean, device=self._device) * 255
        self._std = torch.tensor(std, device=self._device) * 255

    @torch.inference_mode()
    def infer(self, pictures: Sequence[RGB]) -> list[LabelMap]:
        """Return one map per picture, at the size of the pictures, which must all be equal."""
        pixels = torch.from_numpy(np.stack(pictures)).to(self._device)
        normal = ((pixels.float() - self._mean) / self._std).permute(0, 3, 1, 2)
        with self._autocast():
            logits = self._net(pixel_values=normal).logits
        return [self._map(one[None].float(), pixels.shape[1:3]) for one in logits]

    def _map(self, logits: torch.Tensor, size: Sequence[int]) -> LabelMap:
        full = functional.interpolate(logits, size=tuple(size), mode="bilinear")[0]
        scores, labels = full.softmax(dim=0).max(dim=0)
        return LabelMap(labels.cpu().numpy(), scores.cpu().numpy())

    def _autocast(self) -> AbstractContextManager[object]:
        if self._device.type == "cuda":
            return torch.autocast("cuda", dtype=torch.bfloat16)
        return nullcontext()


def use_threads(threads: int) -> None:
    """Limit the cores torch computes on in this process; 0 leaves them as they are."""
    if threads > 0:
        torch.set_num_threads(threads)


def _load(folder: Path) -> Any:
    transformers_logging: Any = logging
    transformers_logging.disable_progress_bar()  # a worker has no terminal
    try:
        loaded: Any = AutoModelForSemanticSegmentation.from_pretrained(
            folder, local_files_only=True, use_safetensors=True, output_loading_info=True
        )
    except (OSError, ValueError, KeyError, RuntimeError, SafetensorError) as exc:
        msg = f"{folder}: expected a semantic segmenter that transformers can load: {exc}"
        raise CheckpointError(msg) from exc
    net, report = loaded
    wrong = {name: sorted(map(str, report[name])) for name in ("missing_keys", "mismatched_keys")}
    if any(wrong.values()):
        msg = f"{folder}: not a whole checkpoint of {type(net).__name__}: {wrong}"
        raise CheckpointError(msg)
    return net


def _statistics(folder: Path) -> tuple[Sequence[float], Sequence[float]]:
    path = folder / PROCESSOR
    stated = json.loads(path.read_bytes()) if path.is_file() else {}
    return stated.get("image_mean", IMAGENET_MEAN), stated.get("image_std", IMAGENET_STD)
