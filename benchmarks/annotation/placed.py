"""The forward pass of the worker's own network, as the worker places it, and nothing else.

Beside the bare loop, which is what torch and transformers give, it tells apart what the network
gained from how it is run (attention, lanes, weights cast once) and what the rest of the way costs.
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import torch

from benchmarks.annotation.bare import Shape, shapes_of
from benchmarks.annotation.job import Job
from tasks.depth.model import DepthModel
from tasks.depth.preprocess import default_max_tokens
from tasks.vision.device import Device, Results
from tasks.vision.pictures import Resample


class PlacedForward:
    """Passes of the worker's size over tensors on the device, in the worker's lanes."""

    def __init__(self, job: Job) -> None:
        """Load the network as the worker does."""
        self._device = Device("auto", job.precision, is_compiled=job.compiles)
        limit = default_max_tokens(job.side)
        folder = Path(job.checkpoint)
        self._model = DepthModel(folder, self._device, job.side, limit, Resample.OFFICIAL)
        self._shapes = shapes_of(job)
        self._resident: dict[tuple[Shape, int], torch.Tensor] = {}
        self._lanes = ThreadPoolExecutor(self._device.lanes)
        self.facts = {
            "lanes": self._device.lanes,
            "cores": self._device.cores,
            "batch": self._model.batch_size(self._shapes.most_common(1)[0][0]),
        }

    def run(self) -> int:
        """Compute every picture once and return how many there were."""
        for results in list(self._lanes.map(self._passed, list(self._passes()))):
            results.wait()
        return self._shapes.total()

    def _passes(self) -> Iterator[torch.Tensor]:
        for shape, count in self._shapes.items():
            most = self._model.batch_size(shape)
            for start in range(0, count, most):
                yield self._pixels(shape, min(most, count - start))

    def _pixels(self, shape: Shape, size: int) -> torch.Tensor:
        if (shape, size) not in self._resident:
            pixels = torch.randn(size, 3, shape[1], shape[0], device=self._device.torch_device)
            placed = pixels.to(memory_format=torch.channels_last)
            self._resident[shape, size] = placed
        return self._resident[shape, size]

    def _passed(self, pixels: torch.Tensor) -> Results:
        return self._device.run(lambda: pixels, lambda there: self._model.compute(there, ()))
