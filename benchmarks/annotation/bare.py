"""The limit: nothing but the network's forward pass, over tensors that already lie on the device.

torch and transformers as they come: their attention and threads, weights in fp32 under autocast,
channels last.  The mix of input shapes
is that of the pictures, each shape in batches as large as pay: sizes are doubled until a pass is
no longer faster per picture or does not fit.  Outputs stay on the device.
"""

import time
from collections import Counter
from contextlib import AbstractContextManager, nullcontext
from itertools import pairwise
from typing import Any, Final

import torch
from transformers import DepthAnythingForDepthEstimation

from benchmarks.annotation.job import Job
from infra.images.decode import inspect_header
from tasks.depth.preprocess import default_max_tokens, target_size

Shape = tuple[int, int]

LARGEST: Final = 128
TRIES: Final = 2
GAIN: Final = 1.02
"""A larger batch must be faster by this factor to be worth its memory."""


class BareForward:
    """The forward loop of one network on one mix of shapes."""

    def __init__(self, job: Job) -> None:
        """Load the network and find the best batch of the most frequent shape."""
        self._device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self._precision = job.precision
        net = DepthAnythingForDepthEstimation.from_pretrained(job.checkpoint)
        net = net.to(self._device, memory_format=torch.channels_last).eval()
        self._net: Any = torch.compile(net) if job.compiles else net
        self._shapes = shapes_of(job)
        self._resident: dict[Shape, torch.Tensor] = {}
        common = self._shapes.most_common(1)[0][0]
        self._batch = job.batch or self._best_batch(common, min(LARGEST, len(job.files())))
        self.facts = {
            "batch": self._batch,
            "shapes": {f"{w}x{h}": count for (w, h), count in self._shapes.most_common(4)},
            "attention": net.backbone.config._attn_implementation,  # noqa: SLF001
        }

    def run(self) -> int:
        """Compute every picture once and return how many there were."""
        for shape, count in self._shapes.items():
            full, rest = divmod(count, self._batch)
            self._passes(shape, self._batch, full)
            self._passes(shape, rest, min(rest, 1))
        return self._shapes.total()

    def _passes(self, shape: Shape, size: int, times: int) -> None:
        if not times:
            return
        pixels = self._pixels(shape, size)
        with torch.inference_mode(), self._autocast():
            for _ in range(times):
                self._net(pixel_values=pixels)
        if self._device.type == "cuda":
            torch.cuda.synchronize()

    def _pixels(self, shape: Shape, size: int) -> torch.Tensor:
        """Return a batch that was on the device before, if there was one of that size."""
        known = self._resident.get(shape)
        if known is None or len(known) < size:
            known = torch.randn(size, 3, shape[1], shape[0], device=self._device)
            known = known.to(memory_format=torch.channels_last)
            self._resident[shape] = known
        return known[:size]

    def _autocast(self) -> AbstractContextManager[object]:
        if self._precision == "bf16":
            return torch.autocast(self._device.type, dtype=torch.bfloat16)
        return nullcontext()

    def _best_batch(self, shape: Shape, most: int) -> int:
        sizes = [2**n for n in range(8) if 2**n <= most]
        seconds = {}
        for size in sizes:
            try:
                seconds[size] = min(self._seconds(shape, size) for _ in range(TRIES)) / size
            except torch.OutOfMemoryError:
                break
        tried = list(seconds)
        worse = (a for a, b in pairwise(tried) if seconds[a] < GAIN * seconds[b])
        return next(worse, tried[-1])

    def _seconds(self, shape: Shape, size: int) -> float:
        self._passes(shape, size, 1)
        began = time.perf_counter()
        self._passes(shape, size, 1)
        return time.perf_counter() - began


def shapes_of(job: Job) -> Counter[Shape]:
    """Return how many pictures have which input size (width, height), as the worker would do it."""
    limit = default_max_tokens(job.side)
    headers = (inspect_header(path.read_bytes()) for path in job.files())
    return Counter(target_size(h.width, h.height, job.side, limit) for h in headers)
