"""Checkpoints of the true size with random weights: what a network costs does not depend on values.

Widths, depths and tapped layers are those of the published configurations (`config.json` of
`depth-anything/Depth-Anything-V2-{Small,Base,Large}-hf`; the same figures stand in
`model_configs` of the official `Depth-Anything-V2/run.py`), and so is the preprocessor beside
them, which transformers' own pipeline reads.  The values are not quite arbitrary: layers of the
head average over their window and the last adds what is not negative, so that maps are smooth and
not cut off.  Noise would take longer to store than depth does, and an empty map no time at all.
"""

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from infra.checkpoints import resolve

WEIGHTS: Final = "model.safetensors"
SEED: Final = 20_240_613
KERNEL_DIMS: Final = 4

PREPROCESSOR: Final[dict[str, Any]] = {
    "do_normalize": True,
    "do_pad": False,
    "do_rescale": True,
    "do_resize": True,
    "ensure_multiple_of": 14,
    "image_mean": [0.485, 0.456, 0.406],
    "image_processor_type": "DPTImageProcessor",
    "image_std": [0.229, 0.224, 0.225],
    "keep_aspect_ratio": True,
    "resample": 3,
    "rescale_factor": 0.00392156862745098,
    "size": {"height": 518, "width": 518},
    "size_divisor": None,
}
"""`preprocessor_config.json` of the published checkpoints."""


@dataclass(frozen=True, slots=True)
class Size:
    """One of the published networks.

    Attributes:
        parameters: that the built network must have.
        width: of the backbone.
        heads: of its attention.
        layers: of the backbone.
        tapped: layers that feed the head, counted from 1.
        fusion: channels of the head.
        neck: channels of the four tapped maps.
    """

    parameters: int
    width: int
    heads: int
    layers: int
    tapped: tuple[int, ...]
    fusion: int
    neck: tuple[int, ...]


SIZES: Final = {
    "s": Size(24_785_089, 384, 6, 12, (3, 6, 9, 12), 64, (48, 96, 192, 384)),
    "b": Size(97_470_785, 768, 12, 12, (3, 6, 9, 12), 128, (96, 192, 384, 768)),
    "l": Size(335_315_649, 1024, 16, 24, (5, 12, 18, 24), 256, (256, 512, 1024, 1024)),
}
TINY: Final = "tiny"
"""The embedded network with its real weights."""
MODELS: Final = (*SIZES, TINY)


def write_checkpoint(model: str, folder: Path, side: int) -> Path:
    """Write the network and its preprocessor as a local checkpoint; return its folder.

    Args:
        model: one of `MODELS`.
        folder: made if it is not there.
        side: least short side of the preprocessor's pictures, px.

    Raises:
        ValueError: the network has not the published number of parameters.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if model == TINY:
        source = resolve("embedded:depth").folder
        for name in ("config.json", WEIGHTS):
            shutil.copyfile(source / name, folder / name)
    else:
        _write_random(SIZES[model], folder)
    sized = PREPROCESSOR | {"size": {"height": side, "width": side}}
    (folder / "preprocessor_config.json").write_text(json.dumps(sized, indent=2))
    return folder


def configuration(size: Size) -> dict[str, Any]:
    """Return the keyword arguments of `DepthAnythingConfig`."""
    return {
        "backbone_config": {
            "model_type": "dinov2",
            "hidden_size": size.width,
            "num_attention_heads": size.heads,
            "num_hidden_layers": size.layers,
            "out_indices": list(size.tapped),
            "image_size": 518,
            "patch_size": 14,
            "reshape_hidden_states": False,
        },
        "reassemble_hidden_size": size.width,
        "neck_hidden_sizes": list(size.neck),
        "fusion_hidden_size": size.fusion,
    }


def count_parameters(size: Size) -> int:
    """Return how many parameters the configuration gives, without building the tensors."""
    import torch  # noqa: PLC0415 - the driver of the benchmark stays without it
    from transformers import DepthAnythingConfig, DepthAnythingForDepthEstimation  # noqa: PLC0415

    with torch.device("meta"):
        network = DepthAnythingForDepthEstimation(DepthAnythingConfig(**configuration(size)))
    return sum(tensor.numel() for tensor in network.parameters())


def _write_random(size: Size, folder: Path) -> None:
    import torch  # noqa: PLC0415
    from transformers import DepthAnythingConfig, DepthAnythingForDepthEstimation  # noqa: PLC0415

    torch.manual_seed(SEED)
    network = DepthAnythingForDepthEstimation(DepthAnythingConfig(**configuration(size)))
    found = sum(tensor.numel() for tensor in network.parameters())
    if found != size.parameters:
        msg = f"expected {size.parameters} parameters, found {found}"
        raise ValueError(msg)
    with torch.no_grad():
        for name, tensor in network.named_parameters():
            if "neck" in name or "head" in name:
                _spread(tensor)
        network.head.conv3.weight.abs_()  # its inputs are not negative, so neither is the map
    network.save_pretrained(folder)


def _spread(kernel: Any) -> None:
    """Give a layer of the head values that keep its signal's variance (He et al. 2015)."""
    import torch  # noqa: PLC0415

    if kernel.dim() < KERNEL_DIMS:
        return
    channels = kernel.new_empty(kernel.shape[:2])
    torch.nn.init.kaiming_normal_(channels)
    area = kernel.shape[2] * kernel.shape[3]
    kernel.copy_((channels / area)[:, :, None, None].expand_as(kernel))
