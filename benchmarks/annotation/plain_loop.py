"""What anybody writes first: Pillow, numpy, one picture at a time, fp32, a file per map."""

from pathlib import Path

import numpy as np
import torch
from PIL import Image
from transformers import DepthAnythingForDepthEstimation

from benchmarks.annotation.job import Job
from tasks.depth.preprocess import (
    IMAGENET_MEAN,
    IMAGENET_STD,
    default_max_tokens,
    target_size,
)


class PlainLoop:
    """Decode, resize, normalise, forward, save; then the next one."""

    def __init__(self, job: Job) -> None:
        """Load the network as its documentation shows."""
        self._device = "cuda" if torch.cuda.is_available() else "cpu"
        self._net = DepthAnythingForDepthEstimation.from_pretrained(job.checkpoint)
        self._net = self._net.to(self._device).eval()
        self._job = job
        self.facts = {"batch": 1, "precision": "fp32", "saves": "npy"}

    def run(self) -> int:
        """Annotate every picture and return how many there were."""
        limit = default_max_tokens(self._job.side)
        files = self._job.files()
        for path in files:
            image = Image.open(path).convert("RGB")
            size = target_size(*image.size, self._job.side, limit)
            resized = image.resize(size, Image.Resampling.BICUBIC)
            values = (np.asarray(resized, dtype=np.float32) / 255 - IMAGENET_MEAN) / IMAGENET_STD
            pixels = torch.from_numpy(values.astype(np.float32)).permute(2, 0, 1)[None]
            with torch.no_grad():
                depth = self._net(pixel_values=pixels.to(self._device)).predicted_depth
            np.save(Path(self._job.scratch) / path.stem, depth[0].cpu().numpy())
        return len(files)
