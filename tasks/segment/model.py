"""A semantic segmenter: any network that `AutoModelForSemanticSegmentation` loads.

Logits come at a fraction of the input size; they are brought to the grid before the softmax, so
that a score is the probability at that pixel.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import torch
from torch.nn import functional
from transformers import AutoModelForSemanticSegmentation

from tasks.segment.masks import LabelMap, Segment, segments_of
from tasks.segment.preprocess import MaskRule
from tasks.vision.batching import BatchSizes
from tasks.vision.device import Arrays, Device
from tasks.vision.driven import DrivenNetwork
from tasks.vision.loading import load_network
from tasks.vision.pictures import Picture, Resample, Size
from tasks.vision.pixels import Pixels
from tasks.vision.published import statistics
from tasks.vision.runner import Runner

PIXELS_PER_PASS: Final = {"cpu": 4 * 512 * 512, "cuda": 32 * 512 * 512}
"""A larger pass is not faster, and logits at a quarter size take 40 bytes a pixel with the 150
labels of ADE20K."""


class SegmentModel(DrivenNetwork):
    """A loaded network on its device; as `tasks.vision.stages` drives it.

    Attributes:
        names: labels by index.
    """

    def __init__(self, folder: Path, device: Device, rule: MaskRule) -> None:
        """Load the network.

        Args:
            folder: of the checkpoint.
            device: where it computes.
            rule: the grid, and what becomes a segment.

        Raises:
            CheckpointError: not a whole semantic segmenter.
        """
        net = load_network(AutoModelForSemanticSegmentation, folder, "a semantic segmenter")
        id2label: dict[int, str] = net.config.id2label
        self.names: tuple[str, ...] = tuple(id2label[i] for i in range(len(id2label)))
        self._rule = rule
        self._net: Any = device.place(net)
        pixels = Pixels(device, Resample.ANTIALIAS, *statistics(folder))
        sizes = BatchSizes(PIXELS_PER_PASS[device.torch_device.type])
        super().__init__(Runner(device, pixels, sizes))

    def size(self, width: int, height: int) -> Size:
        """Return (width, height) of the network's input for a picture, which is also the grid."""
        return self._rule.size(width, height)

    def segments(self, picture: Picture, said: LabelMap) -> list[Segment]:
        """Return the segments of one picture, largest first."""
        del picture
        return segments_of(said.labels, said.scores, self.names, self._rule)

    def compute(self, pixels: torch.Tensor, pictures: Sequence[Picture]) -> Sequence[torch.Tensor]:
        """Return (N, H, W) labels and their probabilities."""
        del pictures
        logits = self._net(pixel_values=pixels).logits
        size = (int(pixels.shape[2]), int(pixels.shape[3]))
        maps = [self._map(one[None].float(), size) for one in logits]
        return [torch.stack(kind) for kind in zip(*maps, strict=True)]

    def said(self, arrays: Arrays, pictures: Sequence[Picture]) -> Sequence[LabelMap]:
        """Return a map of labels per picture."""
        del pictures
        return [LabelMap(labels, scores) for labels, scores in zip(*arrays, strict=True)]

    def _map(
        self, logits: torch.Tensor, size: tuple[int, int]
    ) -> tuple[torch.Tensor, torch.Tensor]:
        full = functional.interpolate(logits, size=size, mode="bilinear")[0]
        scores, labels = full.softmax(dim=0).max(dim=0)
        return labels.to(torch.int16), scores
