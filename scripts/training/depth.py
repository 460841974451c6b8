"""The tiny depth network: a DepthAnything model that learns relative inverse depth.

Scale and shift of the output are free: prediction and truth are both centred on their median and
divided by their mean deviation before they are compared, and a multi-scale gradient term sharpens
edges (MiDaS, arXiv:1907.01341, section 5).
"""

from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import torch
from torch import nn
from torch.nn import functional
from transformers import DepthAnythingConfig, DepthAnythingForDepthEstimation, Dinov2Config

from scripts.training.augment import mirrored, recoloured
from scripts.training.cache import TrainingSet
from scripts.training.loop import Schedule, Task, trained
from scripts.training.preprocess import normalised

HIDDEN: Final = 96

BACKBONE: Final[dict[str, Any]] = {
    "hidden_size": HIDDEN,
    "num_hidden_layers": 5,
    "num_attention_heads": 4,
    "mlp_ratio": 2,
    "image_size": 126,
    "patch_size": 14,
    "use_mask_token": False,
    "out_indices": [1, 2, 3, 5],
    "reshape_hidden_states": False,
}
"""Arguments of the vision transformer; early layers are read too, they hold the edges."""

SOLID_WEIGHT: Final = 2.0
"""Extra weight of pixels on solids: they are few, and relations are read from them."""

GRADIENT_SCALES: Final = (1, 2, 4)


def train_depth(data: TrainingSet, steps: int, seed: int) -> nn.Module:
    """A network trained from scratch on `data`."""
    torch.manual_seed(seed)
    network = new_depth_network()
    schedule = Schedule(steps=steps, seed=seed, batch=24, peak_rate=1.2e-3)

    def loss(
        net: nn.Module,
        scenes: npt.NDArray[np.intp],
        random: np.random.Generator,
    ) -> torch.Tensor:
        return _batch_loss(net, data, scenes, random)

    return trained(Task(network, len(data.rgb), loss), schedule)


def new_depth_network() -> nn.Module:
    """The architecture with random weights, about 0.7 million parameters."""
    config = DepthAnythingConfig(
        backbone_config=Dinov2Config(**BACKBONE),
        reassemble_hidden_size=HIDDEN,
        neck_hidden_sizes=[24, 32, 48, 64],
        fusion_hidden_size=32,
        head_hidden_size=16,
    )
    network: nn.Module = DepthAnythingForDepthEstimation(config)
    # The last layer is a ReLU: starting above zero keeps every pixel's gradient alive.
    nn.init.constant_(network.get_parameter("head.conv3.bias"), 2.0)
    return network


def load_depth_network(folder: Path) -> nn.Module:
    """The committed weights, ready for inference."""
    network: nn.Module = DepthAnythingForDepthEstimation.from_pretrained(folder)
    return network.eval()


def _batch_loss(
    network: nn.Module,
    data: TrainingSet,
    scenes: npt.NDArray[np.intp],
    random: np.random.Generator,
) -> torch.Tensor:
    """Loss of one augmented batch."""
    rgb = torch.from_numpy(data.small_rgb[scenes])
    truth = torch.from_numpy(data.inverse_depth[scenes].astype(np.float32))
    solid = torch.from_numpy(data.weight[scenes].astype(np.float32))
    rgb, truth, solid = mirrored([rgb, truth, solid], random)
    prediction = network(pixel_values=normalised(recoloured(rgb, random))).predicted_depth
    return aligned_loss(prediction, truth, 1 + SOLID_WEIGHT * solid)


def aligned_loss(
    prediction: torch.Tensor, truth: torch.Tensor, weight: torch.Tensor
) -> torch.Tensor:
    """Weighted distance of two (B, H, W) maps, blind to the scale and shift of either."""
    difference = _standardised(prediction) - _standardised(truth)
    distance = (weight * difference.abs()).sum() / weight.sum()
    return distance + sum((_edges(difference, scale) for scale in GRADIENT_SCALES), torch.zeros(()))


def _standardised(maps: torch.Tensor) -> torch.Tensor:
    """Each map centred on its median, with mean deviation 1."""
    flat = maps.flatten(1)
    centred = flat - flat.median(dim=1, keepdim=True).values
    return (centred / centred.abs().mean(dim=1, keepdim=True).clamp(min=1e-4)).view_as(maps)


def _edges(difference: torch.Tensor, scale: int) -> torch.Tensor:
    """Mean slope of the difference, on every `scale`-th pixel."""
    coarse = functional.avg_pool2d(difference[:, None], scale)
    across = (coarse[..., 1:] - coarse[..., :-1]).abs().mean()
    return (across + (coarse[..., 1:, :] - coarse[..., :-1, :]).abs().mean()) * 0.5
