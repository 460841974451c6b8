"""From a map of labels to segments: connected regions, largest first.

A semantic network does not tell two touching things of one label apart, so they are one segment
here.  Order and ids depend on the map alone: area, then label, then the first pixel.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from sightline.boxes import Box
from tasks.segment.preprocess import MaskRule

Labels = npt.NDArray[np.intp]
Scores = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Segment:
    """One connected region of one label.

    Attributes:
        label: name of the label.
        mask: (H, W), true inside.
        box: tight, in fractions of the grid.
        area_px: true pixels.
        score: mean probability of the label over the mask, [0, 1].
    """

    label: str
    mask: Mask
    box: Box
    area_px: int
    score: float


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
