"""One network on one device: batches that fit, passes, and what they say per picture.

A family gives a function from normalised pixels to tensors; memory, halving and the way back to
the host are here.  A pass that does not fit is tried in halves, and what was learnt is remembered;
a picture that does not fit alone is a verdict on that picture.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from infra.images.decode import ImageProblem
from sightline.errors import Failure
from tasks.vision.batching import BatchSizes
from tasks.vision.device import Arrays, Device, Results
from tasks.vision.pictures import RGB, Picture, Size
from tasks.vision.pixels import Pixels

Compute = Callable[[torch.Tensor, Sequence[Picture]], Sequence[torch.Tensor]]
"""From (N, 3, H, W) pixels and their N pictures to tensors on the device."""

Said = Callable[[Arrays, Sequence[Picture]], Sequence[Any]]
"""From the tensors, on the host, to what they say per picture; runs off the device's thread."""


@dataclass(frozen=True, slots=True)
class Pass:
    """One forward pass under way.

    Attributes:
        pictures: of one shape.
        results: on their way to the host.
        said: takes them apart.
    """

    pictures: Sequence[Picture]
    results: Results
    said: Said

    def wait(self) -> Sequence[Any]:
        """Return what the network says about each picture."""
        return self.said(self.results.wait(), self.pictures)


@dataclass(frozen=True, slots=True)
class Refused:
    """A picture for which the device has no memory."""

    pictures: Sequence[Picture]
    size: Size

    def wait(self) -> Sequence[Any]:
        """Raise the verdict.

        Raises:
            ImageProblem: always.
        """
        width, height = self.size
        detail = f"the device's memory does not hold one picture at {width} x {height}"
        raise ImageProblem(Failure.IMAGE_TOO_LARGE, detail)


class Runner:
    """Runs passes of one network; `infer` is called from one thread on CUDA, the rest from any."""

    def __init__(self, device: Device, pixels: Pixels, sizes: BatchSizes) -> None:
        """Use `device` with the batch sizes that `sizes` learns."""
        self._device = device
        self._pixels = pixels
        self._sizes = sizes

    @property
    def is_overlapped(self) -> bool:
        """Tell whether the device computes by itself while this process does other work."""
        return self._device.is_cuda

    @property
    def threads(self) -> int:
        """Return how many threads should decode and encode; on a CPU they also compute."""
        return self._device.cores if self._device.is_cuda else self._device.lanes

    def batch_size(self, size: Size) -> int:
        """Return how many pictures of `size` a pass takes."""
        return self._sizes.size(size, self._device.free_bytes())

    def staged(self, rgb: RGB, size: Size) -> torch.Tensor:
        """Return what is kept of a picture until its pass."""
        return self._pixels.staged(rgb, size)

    def infer(
        self,
        batch: Sequence[tuple[Picture, torch.Tensor]],
        size: Size,
        compute: Compute,
        said: Said,
    ) -> list[Pass | Refused]:
        """Return the passes over `batch`, in its order, each perhaps still under way.

        Args:
            batch: pictures of one shape, with what `staged` gave.
            size: that shape.
            compute: the forward pass.
            said: takes its tensors apart.
        """
        try:
            return [self._pass(batch, size, compute, said)]
        except torch.OutOfMemoryError:
            self._sizes.halve(size, len(batch))
        # outside the handler: its traceback keeps the tensors of the failed pass alive
        self._device.forget()
        if len(batch) == 1:
            return [Refused([batch[0][0]], size)]
        middle = len(batch) // 2
        halves = (batch[:middle], batch[middle:])
        return [done for half in halves for done in self.infer(half, size, compute, said)]

    def _pass(
        self,
        batch: Sequence[tuple[Picture, torch.Tensor]],
        size: Size,
        compute: Compute,
        said: Said,
    ) -> Pass:
        pictures = [picture for picture, _ in batch]
        staged = [tensor for _, tensor in batch]
        results, used_bytes = self._device.measured(
            lambda: self._device.run(
                lambda: self._pixels.batch(staged, size),
                lambda pixels: compute(pixels, pictures),
            )
        )
        self._sizes.learn(size, len(batch), used_bytes)
        return Pass(pictures, results, said)
