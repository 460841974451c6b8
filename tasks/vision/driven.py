"""A network that a `Runner` drives: what remains to each family is size, forward pass and reading.

Subclasses are what `Stages` works on (`tasks.vision.stages.Network`).
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

import torch

from tasks.vision.device import Arrays
from tasks.vision.pictures import RGB, Picture, Size
from tasks.vision.runner import Pass, Refused, Runner


class DrivenNetwork(ABC):
    """Delegates device, batches and pixels to its runner."""

    def __init__(self, runner: Runner) -> None:
        """Be driven by `runner`."""
        self._runner = runner

    @property
    def is_overlapped(self) -> bool:
        """Tell whether the device computes by itself while this process does other work."""
        return self._runner.is_overlapped

    @property
    def threads(self) -> int:
        """Return how many threads should decode and encode."""
        return self._runner.threads

    def batch_size(self, size: Size) -> int:
        """Return how many pictures of `size` a pass takes."""
        return self._runner.batch_size(size)

    def staged(self, rgb: RGB, size: Size) -> torch.Tensor:
        """Return what is kept of a picture until its pass."""
        return self._runner.staged(rgb, size)

    def infer(
        self, batch: Sequence[tuple[Picture, torch.Tensor]], size: Size
    ) -> Sequence[Pass | Refused]:
        """Begin the passes over pictures of one shape; in order."""
        return self._runner.infer(batch, size, self.compute, self.said)

    @abstractmethod
    def size(self, width: int, height: int) -> Size:
        """Return the network's input for a picture."""

    @abstractmethod
    def compute(self, pixels: torch.Tensor, pictures: Sequence[Picture]) -> Sequence[torch.Tensor]:
        """Return tensors on the device for (N, 3, H, W) pixels and their pictures."""

    @abstractmethod
    def said(self, arrays: Arrays, pictures: Sequence[Picture]) -> Sequence[Any]:
        """Return what those tensors, on the host, say per picture."""
