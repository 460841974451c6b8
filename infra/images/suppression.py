"""Non-maximum suppression: of boxes that say the same, the best stays.

The greedy rule of every detector: take the best box left, drop those that overlap it by more than
`max_iou`, go on.  Equal scores are taken in the order they came in, so the result depends on the
input alone; `torchvision.ops.nms` leaves that open.
"""

import numpy as np
import numpy.typing as npt

Reals = npt.NDArray[np.floating]
Indices = npt.NDArray[np.intp]


def keep_best(boxes: Reals, scores: Reals, max_iou: float) -> Indices:
    """Return the indices of the boxes that stay, best first.

    Args:
        boxes: (n, 4) as x0, y0, x1, y1 in any one unit; a box without area overlaps nothing.
        scores: (n,) larger is better.
        max_iou: largest overlap of two boxes that both stay; 1 keeps all.
    """
    order = np.argsort(-scores, kind="stable")
    corners = np.asarray(boxes, dtype=np.float64).reshape(-1, 4)
    kept = []
    while order.size:
        best, rest = order[0], order[1:]
        kept.append(best)
        order = rest[overlaps(corners[best], corners[rest]) <= max_iou]
    return np.asarray(kept, dtype=np.intp)


def keep_best_by_label(boxes: Reals, scores: Reals, labels: Indices, max_iou: float) -> Indices:
    """Return what `keep_best` keeps within each label, best first over all labels."""
    kept = [
        members[keep_best(boxes[members], scores[members], max_iou)]
        for members in (np.flatnonzero(labels == label) for label in np.unique(labels))
    ]
    chosen = np.sort(np.concatenate(kept)) if kept else np.empty(0, dtype=np.intp)
    return chosen[np.argsort(-scores[chosen], kind="stable")]


def overlaps(box: Reals, others: Reals) -> npt.NDArray[np.float64]:
    """Return the (n,) intersection over union of one box with (n, 4) others."""
    low = np.maximum(box[:2], others[:, :2])
    high = np.minimum(box[2:], others[:, 2:])
    both = np.clip(high - low, 0, None).prod(axis=1)
    either = _area(box[None]) + _area(others) - both
    shares = np.divide(both, either, out=np.zeros_like(both), where=either > 0)
    return np.asarray(shares, dtype=np.float64)


def _area(boxes: Reals) -> npt.NDArray[np.float64]:
    sides = np.clip(boxes[:, 2:] - boxes[:, :2], 0, None)
    return np.asarray(sides.prod(axis=1), dtype=np.float64)
