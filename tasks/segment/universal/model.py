"""Mask2Former, MaskFormer and OneFormer: the one place of this family that loads a network.

They give the same two tensors, classes and masks per query.  OneFormer (arXiv:2211.06220) is told
its task in words, "the task is panoptic"; the others (arXiv:2112.01527, 2107.06278) were trained
for one, and asking for another gives what their masks allow.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import torch
from transformers import AutoModelForUniversalSegmentation

from sightline.errors import CheckpointError
from tasks.segment.families import UNIVERSAL_TYPES, Task
from tasks.segment.masks import LabelMap, MaskStack, Segment, segments_of, segments_of_masks
from tasks.segment.preprocess import MaskRule
from tasks.segment.universal.combine import instances, panoptic, semantic
from tasks.segment.universal.fuse import fused
from tasks.segment.universal.preprocess import QueryRule, input_size
from tasks.vision.batching import BatchSizes
from tasks.vision.device import Arrays, Device
from tasks.vision.driven import DrivenNetwork
from tasks.vision.loading import load_network
from tasks.vision.pictures import Picture, Size
from tasks.vision.published import statistics
from tasks.vision.resampling import BILINEAR, ResampledPixels
from tasks.vision.runner import Runner
from tasks.vision.words import load_tokenizer

PIXELS_PER_PASS: Final = {"cpu": 800 * 1088, "cuda": 16 * 800 * 1088}
"""A larger pass is not faster."""

EXPECTED: Final = "a universal segmenter"


class UniversalNetwork(DrivenNetwork):
    """A loaded network; `names` holds its labels by index."""

    def __init__(self, folder: Path, device: Device, rule: QueryRule, masks: MaskRule) -> None:
        """Load.

        Args:
            folder: of the checkpoint.
            device: to compute on.
            rule: which queries become segments.
            masks: short side of the input, and what becomes a segment.

        Raises:
            CheckpointError: not a whole universal network, or it lacks a label to fuse.
        """
        net = load_network(
            AutoModelForUniversalSegmentation, folder, EXPECTED, model_types=UNIVERSAL_TYPES
        )
        labels: dict[int, str] = net.config.id2label
        self.names = tuple(labels[i] for i in range(len(labels)))
        self._rule, self._masks = rule, masks
        self._fused = _numbers(self.names, rule.fuse, folder)
        self._told = _told(net, folder, rule.task, device)
        self._net: Any = device.place(net)
        pixels = ResampledPixels(device, BILINEAR, *statistics(folder))
        sizes = BatchSizes(PIXELS_PER_PASS[device.torch_device.type])
        super().__init__(Runner(device, pixels, sizes))

    def size(self, width: int, height: int) -> Size:
        """Return the network's input for a picture, which is also the grid of its masks."""
        return input_size(width, height, self._masks.input_px)

    def segments(self, picture: Picture, said: LabelMap | MaskStack) -> list[Segment]:
        """Return the segments of one picture, largest first."""
        del picture
        if isinstance(said, LabelMap):
            return segments_of(said.labels, said.scores, self.names, self._masks)
        return segments_of_masks(fused(said, self._fused), self.names, self._masks)

    def compute(self, pixels: torch.Tensor, pictures: Sequence[Picture]) -> list[torch.Tensor]:
        """Return the combined masks of each picture.

        Returns:
            masks, labels and scores of each picture; for task semantic labels and scores.
        """
        told = {name: ids.expand(len(pictures), -1) for name, ids in self._told.items()}
        out = self._net(pixel_values=pixels, **told)
        size = (pixels.shape[2], pixels.shape[3])
        queries = zip(out.class_queries_logits, out.masks_queries_logits, strict=True)
        return [
            tensor
            for classes, masks in queries
            for tensor in self._combined(classes.float(), masks.float(), size)
        ]

    def said(self, arrays: Arrays, pictures: Sequence[Picture]) -> list[LabelMap] | list[MaskStack]:
        """Return the label map or the masks of each picture."""
        if self._rule.task is Task.SEMANTIC:
            return [LabelMap(*arrays[2 * n : 2 * n + 2]) for n in range(len(pictures))]
        stacks = (arrays[3 * n : 3 * n + 3] for n in range(len(pictures)))
        return [MaskStack(inside, scores, labels) for inside, labels, scores in stacks]

    def _combined(
        self, classes: torch.Tensor, masks: torch.Tensor, size: tuple[int, int]
    ) -> tuple[torch.Tensor, ...]:
        if self._rule.task is Task.SEMANTIC:
            return semantic(classes, masks, size)
        combine = panoptic if self._rule.task is Task.PANOPTIC else instances
        found = combine(classes, masks, size, self._rule)
        return found.inside, found.labels, found.scores


def _numbers(names: Sequence[str], fuse: Sequence[str], folder: Path) -> frozenset[int]:
    unknown = sorted(set(fuse) - set(names))
    if unknown:
        msg = f"segment.fuse: {folder} has no labels {unknown}; it has {sorted(names)}"
        raise CheckpointError(msg)
    return frozenset(names.index(label) for label in fuse)


def _told(net: Any, folder: Path, task: Task, device: Device) -> dict[str, torch.Tensor]:
    """Return what OneFormer is told: (1, n) token ids of its task, 0 where there is none."""
    if net.config.model_type != "oneformer":
        return {}
    tokenizer = load_tokenizer(folder, EXPECTED)
    length = net.config.task_seq_len
    words = tokenizer(
        f"the task is {task.value}",
        padding="max_length",
        max_length=length,
        truncation=True,
        return_tensors="pt",
    )
    ids = words["input_ids"] * words["attention_mask"]
    return {"task_inputs": ids.to(device.torch_device)}
