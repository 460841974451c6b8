"""From what a network says to segments, largest first.

A semantic network does not tell two touching things of one label apart, so they are one segment
here; the masks of other networks are segments as they are, in one piece or several.  Order and ids
depend on the masks alone: area, then label, then place.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from sightline.boxes import Box
from tasks.segment.preprocess import MaskRule
from tasks.segment.prompting import Prompt

Labels = npt.NDArray[np.intp]
Scores = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Segment:
    """One mask.

    Attributes:
        label: name of the label; None if the network knows none.
        mask: (H, W), true inside.
        box: tight, in fractions of the grid.
        area_px: true pixels.
        score: confidence in the mask, [0, 1].
        prompt: what was asked, if it was asked in particular.
    """

    label: str | None
    mask: Mask
    box: Box
    area_px: int
    score: float
    prompt: Prompt | None = None


@dataclass(frozen=True, slots=True)
class LabelMap:
    """What a network says about every pixel of one picture.

    Attributes:
        labels: (H, W) index of the most probable label.
        scores: (H, W) float32, its probability.
    """

    labels: Labels
    scores: Scores


@dataclass(frozen=True, slots=True)
class MaskStack:
    """Masks of one picture, as a network gave them.

    Attributes:
        inside: (n, H, W) bool.
        scores: (n,) float32, [0, 1].
        labels: (n,) index into the names of the network; None for class-agnostic masks.
    """

    inside: npt.NDArray[np.bool_]
    scores: Scores
    labels: npt.NDArray[np.intp] | None = None


def segments_of(
    labels: Labels, scores: Scores, names: Sequence[str], rule: MaskRule
) -> list[Segment]:
    """Return the segments of one picture, largest first.

    Args:
        labels: (H, W) index into `names`.
        scores: (H, W) probability of the label at each pixel.
        names: label names by index.
        rule: what becomes a segment.
    """
    found = [
        (label, segment)
        for label in np.unique(labels).tolist()
        if names[label] not in rule.background
        for segment in _regions(labels == label, scores, names[label], rule)
    ]
    found.sort(key=lambda item: (-item[1].area_px, item[0], item[1].box[1], item[1].box[0]))
    return [segment for _, segment in found[: rule.max_segments]]


def segments_of_masks(
    stack: MaskStack, names: Sequence[str], rule: MaskRule, prompts: Sequence[Prompt] | None = None
) -> list[Segment]:
    """Return the segments of one picture, largest first.

    Args:
        stack: the masks, one per prompt where there were prompts.
        names: label names by index.
        rule: what becomes a segment; masks of prompts all do, unless they are empty.
        prompts: what each mask answers.
    """
    height, width = stack.inside.shape[1:]
    least = 1 if prompts is not None else rule.min_area_px(width, height)
    found = []
    for number, mask in enumerate(stack.inside):
        prompt = prompts[number] if prompts is not None else None
        label = names[stack.labels[number]] if stack.labels is not None else None
        segment = _whole(mask, prompt.label if prompt else label, stack.scores[number], prompt)
        if segment.area_px >= least and segment.label not in rule.background:
            found.append(segment)
    found.sort(key=lambda s: (-s.area_px, s.label or "", s.box[1], s.box[0], -s.score))
    return found if prompts is not None else found[: rule.max_segments]


def _whole(mask: Mask, label: str | None, score: float, prompt: Prompt | None) -> Segment:
    height, width = mask.shape
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not rows.size:
        return Segment(label, mask, (0.0, 0.0, 0.0, 0.0), 0, float(score), prompt)
    box = (
        float(columns[0] / width),
        float(rows[0] / height),
        float((columns[-1] + 1) / width),
        float((rows[-1] + 1) / height),
    )
    sure = min(1.0, max(0.0, float(score)))
    return Segment(label, mask, box, int(mask.sum()), sure, prompt)


def _regions(mask: Mask, scores: Scores, name: str, rule: MaskRule) -> Iterator[Segment]:
    height, width = mask.shape
    least = rule.min_area_px(width, height)
    count, numbers, stats, _ = cv2.connectedComponentsWithStats(
        mask.astype(np.uint8), connectivity=8
    )
    for number in range(1, count):
        x, y, w, h, area = (int(value) for value in stats[number])
        if area < least:
            continue
        region = np.asarray(numbers == number)
        box = (x / width, y / height, (x + w) / width, (y + h) / height)
        score = min(1.0, float(scores[region].mean(dtype=np.float64)))
        yield Segment(name, region, box, area, score)
