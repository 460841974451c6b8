"""SAM 2 and 2.1 (arXiv:2408.00714): the image is encoded once, then asked with boxes or points.

A box gets one mask, the way the authors predict unambiguous prompts; a point of the grid gets
three.  Coordinates are positions on the network's own square in fp32 whatever it computes in: bf16
has steps of 4 px there.  The grid is filtered as in `sam2/automatic_mask_generator.py`: predicted
IoU, then stability on the grid of the picture, then suppression by box.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import torch
from torch.nn import functional
from transformers import Sam2Model

from infra.images.suppression import keep_best
from tasks.segment.families import PROMPTABLE_TYPES
from tasks.segment.masks import MaskStack, Segment, segments_of_masks
from tasks.segment.preprocess import MaskRule
from tasks.segment.prompting import (
    PROMPTS_AT_ONCE,
    STABILITY_OFFSET,
    GridRule,
    boxes_of,
    grid_points,
    prompts_of,
)
from tasks.vision.batching import BatchSizes
from tasks.vision.device import Arrays, Device
from tasks.vision.driven import DrivenNetwork
from tasks.vision.loading import load_network
from tasks.vision.pictures import Picture, Size
from tasks.vision.published import statistics
from tasks.vision.resampling import BILINEAR, ResampledPixels
from tasks.vision.runner import Runner

PIXELS_PER_PASS: Final = {"cpu": 1024 * 1024, "cuda": 16 * 1024 * 1024}
"""A larger pass is not faster."""


@dataclass(frozen=True, slots=True)
class _Found:
    """Masks of one picture on the device; of boxes in their order, of the grid best first.

    Attributes:
        inside: (n, H, W) bool.
        scores: (n,) float32, the IoU with the truth that the network predicts.
    """

    inside: torch.Tensor
    scores: torch.Tensor


class PromptableNetwork(DrivenNetwork):
    """A loaded SAM 2; `input_px` is the side of its input."""

    def __init__(self, folder: Path, device: Device, rule: GridRule, masks: MaskRule) -> None:
        """Load.

        Args:
            folder: of the checkpoint.
            device: to compute on.
            rule: of the automatic grid.
            masks: tells the grid of a picture's masks.

        Raises:
            CheckpointError: not a whole SAM 2 network.
        """
        net = load_network(Sam2Model, folder, "a SAM 2 network", model_types=PROMPTABLE_TYPES)
        self.input_px = int(net.config.prompt_encoder_config.image_size)
        for part in (net.shared_image_embedding, net.prompt_encoder):
            part.forward = _in_full_precision(part.forward, device.torch_device.type)
        self._net: Any = device.place(net)
        self._rule, self._masks = rule, masks
        points = torch.from_numpy(grid_points(rule.points) * self.input_px)
        self._points = points.to(device.torch_device)
        pixels = ResampledPixels(device, BILINEAR, *statistics(folder))
        sizes = BatchSizes(PIXELS_PER_PASS[device.torch_device.type])
        super().__init__(Runner(device, pixels, sizes))

    def size(self, width: int, height: int) -> Size:
        """Return the network's square, to which every picture is stretched."""
        del width, height
        return (self.input_px, self.input_px)

    def compute(self, pixels: torch.Tensor, pictures: Sequence[Picture]) -> list[torch.Tensor]:
        """Return masks and scores of each picture, two tensors a picture."""
        levels = self._net.get_image_embeddings(pixels)
        found = [
            self._found([level[n : n + 1] for level in levels], picture)
            for n, picture in enumerate(pictures)
        ]
        return [tensor for one in found for tensor in (one.inside, one.scores)]

    def said(self, arrays: Arrays, pictures: Sequence[Picture]) -> list[MaskStack]:
        """Return the masks of each picture."""
        return [MaskStack(*arrays[2 * n : 2 * n + 2]) for n in range(len(pictures))]

    def segments(self, picture: Picture, said: MaskStack) -> list[Segment]:
        """Return the segments of one picture, largest first."""
        return segments_of_masks(said, (), self._masks, prompts_of(picture.columns))

    def _found(self, embedding: list[torch.Tensor], picture: Picture) -> _Found:
        grid = self._masks.size(picture.width, picture.height)
        asked = prompts_of(picture.columns)
        if asked is None:
            return self._of_grid(embedding, grid)
        boxes = torch.from_numpy(boxes_of(asked)).to(embedding[0].device) * self.input_px
        parts = [
            _Found(_on_grid(logits[:, 0], grid) > 0, scores[:, 0])
            for logits, scores in self._asked(embedding, boxes[:, None], are_boxes=True)
        ]
        return _joined(parts, grid, embedding[0].device)

    def _of_grid(self, embedding: list[torch.Tensor], grid: tuple[int, int]) -> _Found:
        parts = [
            self._filtered(logits.flatten(0, 1), scores.flatten(), grid)
            for logits, scores in self._asked(embedding, self._points[:, None], are_boxes=False)
        ]
        found = _joined(parts, grid, embedding[0].device)
        boxes = tight_boxes(found.inside).cpu().numpy()
        best = keep_best(boxes, found.scores.cpu().numpy(), self._rule.max_overlap)
        order = torch.from_numpy(best).to(found.scores.device)
        return _Found(found.inside[order], found.scores[order])

    def _asked(
        self, embedding: list[torch.Tensor], prompts: torch.Tensor, *, are_boxes: bool
    ) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        """Yield (n, masks, h, w) logits and (n, masks) predicted IoU, some prompts at a time."""
        for some in torch.split(prompts, PROMPTS_AT_ONCE):
            asked = (
                {"input_boxes": some.transpose(0, 1)} if are_boxes else {"input_points": some[None]}
            )
            out = self._net(image_embeddings=embedding, multimask_output=not are_boxes, **asked)
            yield out.pred_masks[0].float(), out.iou_scores[0].float()

    def _filtered(
        self, logits: torch.Tensor, scores: torch.Tensor, grid: tuple[int, int]
    ) -> _Found:
        likely = scores > self._rule.min_iou
        scores, logits = scores[likely], _on_grid(logits[likely], grid)
        stays = stability(logits) >= self._rule.min_stability
        inside = logits[stays] > 0
        some = inside.any(dim=2).any(dim=1)
        return _Found(inside[some], scores[stays][some])


def stability(logits: torch.Tensor) -> torch.Tensor:
    """Return (n,) the overlap of each mask at the raised and the lowered threshold; 0 if empty."""
    high = (logits > STABILITY_OFFSET).sum(dim=(1, 2))
    low = (logits > -STABILITY_OFFSET).sum(dim=(1, 2))
    return high / low.clamp(min=1)


def tight_boxes(inside: torch.Tensor) -> torch.Tensor:
    """Return (n, 4) x0, y0, x1, y1 of masks that are not empty, in px, ends excluded."""
    columns, rows = inside.any(dim=1).int(), inside.any(dim=2).int()
    x0, y0 = columns.argmax(dim=1), rows.argmax(dim=1)
    x1 = columns.shape[1] - columns.flip(1).argmax(dim=1)
    y1 = rows.shape[1] - rows.flip(1).argmax(dim=1)
    return torch.stack([x0, y0, x1, y1], dim=1)


def _on_grid(logits: torch.Tensor, grid: tuple[int, int]) -> torch.Tensor:
    sides = (grid[1], grid[0])
    return functional.interpolate(logits[None], size=sides, mode="bilinear")[0]


def _joined(parts: Sequence[_Found], grid: tuple[int, int], device: torch.device) -> _Found:
    empty = torch.zeros((0, grid[1], grid[0]), dtype=torch.bool, device=device)
    return _Found(
        torch.cat([empty, *(part.inside for part in parts)]),
        torch.cat([torch.zeros(0, device=device), *(part.scores for part in parts)]),
    )


def _in_full_precision(forward: Callable[..., Any], device_type: str) -> Callable[..., Any]:
    def in_full_precision(*args: Any, **kwargs: Any) -> Any:
        with torch.autocast(device_type, enabled=False):
            return forward(*args, **kwargs)

    return in_full_precision
