"""From scored boxes to detections of one picture: threshold, clipping, suppression, order.

Detectors give a box for every one of their queries, most of them nothing; several often lie on one
thing, which must not become several objects.  Order and ids depend on the boxes alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from infra.images.suppression import keep_best_by_label
from sightline.boxes import Box

Reals = npt.NDArray[np.floating]


@dataclass(frozen=True, slots=True)
class BoxRule:
    """Which boxes become detections.

    Attributes:
        min_score: least score; a box must exceed it.
        max_overlap: most overlap of two boxes of one query.
        max_boxes: most boxes of one picture.
    """

    min_score: float
    max_overlap: float
    max_boxes: int


@dataclass(frozen=True, slots=True)
class Candidates:
    """What a network says about one picture.

    Attributes:
        boxes: (n, 4) x0, y0, x1, y1 in fractions of the image, perhaps beyond it.
        scores: (n,) in [0, 1].
        queries: (n,) index of the query that fits best.
        labels: n labels in the network's own words.
    """

    boxes: Reals
    scores: Reals
    queries: npt.NDArray[np.intp]
    labels: Sequence[str]


@dataclass(frozen=True, slots=True)
class Detection:
    """One box on one picture; `box` in fractions of the image."""

    query: str
    label: str
    score: float
    box: Box


def corners(centred: Reals) -> Reals:
    """Return (n, 4) x0, y0, x1, y1 of boxes given as centre x, centre y, width, height."""
    half = centred[:, 2:] / 2
    return np.concatenate([centred[:, :2] - half, centred[:, :2] + half], axis=1)


def detections_of(found: Candidates, queries: Sequence[str], rule: BoxRule) -> list[Detection]:
    """Return the detections of one picture, best first.

    Args:
        found: what the network says.
        queries: in words.
        rule: what stays.
    """
    boxes = np.clip(np.asarray(found.boxes, dtype=np.float64), 0.0, 1.0)
    has_area = (boxes[:, 2] > boxes[:, 0]) & (boxes[:, 3] > boxes[:, 1])
    likely = np.flatnonzero(has_area & (found.scores > rule.min_score))
    likely = likely[np.lexsort((*boxes[likely].T[::-1], found.queries[likely]))]
    kept = keep_best_by_label(
        boxes[likely], found.scores[likely], found.queries[likely], rule.max_overlap
    )
    return [_detection(found, queries, boxes, n) for n in likely[kept][: rule.max_boxes].tolist()]


def _detection(found: Candidates, queries: Sequence[str], boxes: Reals, number: int) -> Detection:
    query = queries[int(found.queries[number])]
    x0, y0, x1, y1 = (float(side) for side in boxes[number])
    label = found.labels[number] or query
    return Detection(query, label, float(found.scores[number]), (x0, y0, x1, y1))
