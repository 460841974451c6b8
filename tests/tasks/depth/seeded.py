"""A tiny Depth-Anything network whose every parameter is random, and the maps it should give.

The weights come from numpy's legacy generator, whose stream is frozen, so they need not be stored.
The maps were computed as the official script does: `image2tensor` of Depth-Anything-V2 (float
pixels, `cv2.INTER_CUBIC`, ImageNet statistics), then one plain forward pass in fp32 without any
code of this project.  `python -m tests.tasks.depth.seeded` computes them anew.
"""

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from transformers import DepthAnythingConfig, DepthAnythingForDepthEstimation, Dinov2Config

REFERENCE = Path(__file__).with_name("reference.npz")
INPUT_PX = 42
KINDS = ("relative", "metric")
PICTURES = {"wide": (64, 48), "tall": (31, 80), "square": (42, 42)}
"""Sizes (width, height) and those of their maps: (56, 42), (42, 112), (42, 42)."""
MAX_DEPTH = 20


def network(kind: str) -> Any:
    """The network of one kind; a norm's weight is near 1, all else is near 0."""
    backbone = Dinov2Config(
        hidden_size=16,
        num_hidden_layers=4,
        num_attention_heads=2,
        mlp_ratio=2,
        image_size=70,
        patch_size=14,
        out_indices=[1, 2, 3, 4],
        reshape_hidden_states=False,
    )
    config = DepthAnythingConfig(
        backbone_config=backbone,
        reassemble_hidden_size=16,
        neck_hidden_sizes=[8, 8, 12, 12],
        fusion_hidden_size=8,
        head_hidden_size=8,
        depth_estimation_type=kind,
        max_depth=MAX_DEPTH if kind == "metric" else 1,
    )
    net = DepthAnythingForDepthEstimation(config).eval()
    random = np.random.RandomState(20_611)
    with torch.no_grad():
        for name, parameter in sorted(net.named_parameters()):
            drawn = torch.from_numpy(random.standard_normal(tuple(parameter.shape))).float()
            parameter.copy_(_scaled(name, drawn))
    return net


def _scaled(name: str, drawn: torch.Tensor) -> torch.Tensor:
    is_gain = ("norm" in name and name.endswith("weight")) or "lambda" in name
    if is_gain:
        return 1 + 0.2 * drawn
    if name == "head.conv3.weight":
        return 0.008 * drawn  # else the sigmoid of a metric network saturates
    if drawn.dim() > 1 and "token" not in name and "position" not in name:
        return 1.5 * drawn / drawn[0].numel() ** 0.5
    return (0.5 if name == "head.conv3.bias" else 0.0) + 0.2 * drawn


def picture(name: str) -> np.ndarray:
    """(H, W, 3) uint8: a mosaic with noise on it, in whole numbers only."""
    width, height = PICTURES[name]
    random = np.random.RandomState(len(name))
    tiles = random.randint(0, 200, (height // 8 + 1, width // 8 + 1, 3))
    mosaic = tiles.repeat(8, axis=0).repeat(8, axis=1)[:height, :width]
    return (mosaic + random.randint(0, 56, mosaic.shape)).astype(np.uint8)


def official_map(net: Any, rgb: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """What the official script gives for a picture at `size` (width, height)."""
    resized = cv2.resize(rgb / 255.0, size, interpolation=cv2.INTER_CUBIC)
    normal = (resized - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]
    pixels = torch.from_numpy(normal.transpose(2, 0, 1)[None].astype(np.float32))
    with torch.no_grad():
        return net(pixel_values=pixels).predicted_depth[0].numpy()


def sizes() -> dict[str, tuple[int, int]]:
    return {"wide": (56, 42), "tall": (42, 112), "square": (42, 42)}


def main() -> None:
    maps = {
        f"{kind}_{name}": official_map(network(kind), picture(name), size)
        for kind in KINDS
        for name, size in sizes().items()
    }
    np.savez_compressed(REFERENCE, **maps)


if __name__ == "__main__":
    main()
