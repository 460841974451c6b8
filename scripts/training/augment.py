"""Changes of a batch that keep its truth: mirrored pictures, other light, other noise."""

import numpy as np
import numpy.typing as npt
import torch


def recoloured(rgb: torch.Tensor, random: np.random.Generator) -> torch.Tensor:
    """(B, H, W, 3) of 0..255 with other exposure, white balance and noise per picture."""
    count = rgb.shape[0]
    exposure = random.uniform(0.85, 1.15, (count, 1))
    gain = _per_picture(exposure * random.uniform(0.96, 1.04, (count, 3)))
    offset = _per_picture(random.uniform(-12, 12, (count, 1)))
    noise = torch.randn(rgb.shape) * _per_picture(random.uniform(0, 4, (count, 1)))
    return (rgb.float() * gain + offset + noise).clamp(0, 255)


def mirrored(images: list[torch.Tensor], random: np.random.Generator) -> list[torch.Tensor]:
    """The batch with some rows flipped left to right, the same in every tensor; width is axis 2."""
    flip = torch.from_numpy(random.random(images[0].shape[0]) < 0.5)  # noqa: PLR2004 - a fair coin
    return [
        torch.where(flip.view(-1, *(1,) * (image.ndim - 1)), image.flip(2), image)
        for image in images
    ]


def _per_picture(values: npt.NDArray[np.float64]) -> torch.Tensor:
    """(B, C) factors as (B, 1, 1, C)."""
    return torch.from_numpy(values.astype(np.float32))[:, None, None, :]
