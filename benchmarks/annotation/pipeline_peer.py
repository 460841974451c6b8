"""The `depth-estimation` pipeline of transformers, called on file names as its page shows.

The image processor is what `pipeline` loads by itself: torchvision's where torchvision is
installed, else Pillow's.  Its resize keeps close to the picture's own size and so computes about
half the pixels of the official rule (ADR 0005).  `EqualPipeline` tells the processor the size that
the worker uses, picture by picture; everything else is the same.  Maps are dropped, not saved.
"""

from pathlib import Path

import torch
from PIL import Image
from transformers import pipeline

from benchmarks.annotation.job import Job
from tasks.depth.preprocess import default_max_tokens, target_size


class Pipeline:
    """`pipeline(task="depth-estimation", model=...)` over file names, one call per picture."""

    is_equal = False

    def __init__(self, job: Job) -> None:
        """Load the network; the pipeline takes a GPU by itself where there is one."""
        self._pipe = pipeline(task="depth-estimation", model=job.checkpoint)
        self._job = job
        processor = self._pipe.image_processor
        self.facts = {
            "processor": type(processor).__name__,
            "backend": getattr(processor, "backend", None),
            "device": str(self._pipe.device),
            "dtype": str(self._pipe.dtype),
            "batch": 1,
        }

    def run(self) -> int:
        """Annotate every picture and return how many there were."""
        files = self._job.files()
        for path in files:
            if self.is_equal:
                self._ask_for_size_of(str(path))
            self._pipe(str(path))
        return len(files)

    def _ask_for_size_of(self, path: str) -> None:
        limit = default_max_tokens(self._job.side)
        with Image.open(path) as image:
            width, height = target_size(*image.size, self._job.side, limit)
        processor = self._pipe.image_processor
        processor.keep_aspect_ratio = False
        processor.size = {"height": height, "width": width}


class EqualPipeline(Pipeline):
    """The same with as many pixels as the worker computes."""

    is_equal = True

    def preprocessed(self, path: Path) -> torch.Tensor:
        """Return what the network would see of a picture, (1, 3, H, W)."""
        self._ask_for_size_of(str(path))
        pixels: torch.Tensor = self._pipe.preprocess(str(path))["pixel_values"]
        return pixels
