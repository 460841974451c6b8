"""How well the two networks do on scenes that they never saw.

Depth: rank correlation with the true inverse depth outside the sky, and the share of object pairs
put in the right order among those whose margin decides (the rule of `docs/embedded-models.md`).
Segmentation: intersection over union per class, summed over all scenes, then averaged over the
classes that occur.
"""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from itertools import combinations
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt
import torch
from scipy.stats import spearmanr
from torch import nn
from torch.nn import functional

from scripts.training.cache import HeldOut
from scripts.training.labels import LABELS, label_map
from scripts.training.preprocess import (
    DEPTH_RULE,
    SEGMENT_RULE,
    ResizeRule,
    normalised,
    resized,
)
from tasks.ingest.scenes.render import Rendered

ERODE_PX: Final = 2
WHOLE_MASK_BELOW_PX: Final = 16
SMALLEST_RELATED_PX: Final = 64
LEAST_MARGIN: Final = 0.05
PERCENTILES: Final = (2, 98)


@dataclass(frozen=True, slots=True)
class DepthFigures:
    """Held-out figures of the depth network.

    Attributes:
        scenes: how many were measured.
        spearman_mean: mean over scenes, -1..1.
        spearman_worst: lowest over scenes.
        pairs: object pairs that were large enough to compare.
        pairs_decided: those whose margin decides.
        order_correct: share of the decided pairs in the true order, 0..1.
        order_correct_undecided_too: the same over all pairs.
    """

    scenes: int
    spearman_mean: float
    spearman_worst: float
    pairs: int
    pairs_decided: int
    order_correct: float
    order_correct_undecided_too: float


@dataclass(frozen=True, slots=True)
class SegmentFigures:
    """Held-out figures of the segmenter.

    Attributes:
        scenes: how many were measured.
        mean_iou: over the solid classes that occur, without background, 0..1.
        worst_class: the label with the lowest IoU.
        worst_iou: its IoU.
        pixel_accuracy: share of all pixels with the right class.
        objects_named: share of solids most of whose visible pixels get the right class.
    """

    scenes: int
    mean_iou: float
    worst_class: str
    worst_iou: float
    pixel_accuracy: float
    objects_named: float


@dataclass(frozen=True, slots=True)
class Pair:
    """One comparison of two solids by depth."""

    is_decided: bool
    is_correct: bool


def depth_figures(network: nn.Module, scenes: HeldOut) -> DepthFigures:
    """Figures over `scenes`."""
    correlations: list[float] = []
    pairs: list[Pair] = []
    for _, rendered in scenes:
        prediction = predicted_depth(network, rendered.rgb)
        truth = 1.0 / rendered.depth
        ground = truth > 0
        correlations.append(float(spearmanr(prediction[ground], truth[ground]).statistic))
        pairs.extend(_pairs(_normalised_depth(prediction, ground), truth, rendered))
    decided = [pair for pair in pairs if pair.is_decided]
    return DepthFigures(
        scenes=len(scenes),
        spearman_mean=round(float(np.mean(correlations)), 4),
        spearman_worst=round(min(correlations), 4),
        pairs=len(pairs),
        pairs_decided=len(decided),
        order_correct=_share(pair.is_correct for pair in decided),
        order_correct_undecided_too=_share(pair.is_correct for pair in pairs),
    )


def segment_figures(network: nn.Module, scenes: HeldOut) -> SegmentFigures:
    """Figures over `scenes`."""
    confusion = np.zeros((len(LABELS), len(LABELS)), dtype=np.int64)
    named: list[bool] = []
    for scene, rendered in scenes:
        truth, prediction = label_map(scene, rendered), predicted_labels(network, rendered.rgb)
        cells = truth.astype(np.int64) * len(LABELS) + prediction
        confusion += np.bincount(cells.ravel(), minlength=confusion.size).reshape(confusion.shape)
        named.extend(_is_named(rendered, truth, prediction))
    hits, size = np.diag(confusion), confusion.sum(1)
    occurring = np.nonzero(size[1:])[0] + 1
    iou = hits[occurring] / (size + confusion.sum(0) - hits)[occurring]
    return SegmentFigures(
        scenes=len(scenes),
        mean_iou=round(float(iou.mean()), 4),
        worst_class=LABELS[occurring[iou.argmin()]],
        worst_iou=round(float(iou.min()), 4),
        pixel_accuracy=round(float(hits.sum() / confusion.sum()), 4),
        objects_named=_share(named),
    )


def as_json(figures: DepthFigures | SegmentFigures) -> dict[str, float | str]:
    """Plain fields for `card.json` and the report."""
    return asdict(figures)


@torch.inference_mode()
def predicted_depth(network: nn.Module, rgb: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    """(H, W) relative inverse depth at the size of `rgb`, larger is nearer."""
    output = network(pixel_values=_batch_of_one(rgb, DEPTH_RULE)).predicted_depth[:, None]
    full = functional.interpolate(output, size=rgb.shape[:2], mode="bilinear")
    return np.asarray(full[0, 0].numpy())


@torch.inference_mode()
def predicted_labels(network: nn.Module, rgb: npt.NDArray[np.uint8]) -> npt.NDArray[np.intp]:
    """(H, W) index into `LABELS` at the size of `rgb`."""
    logits = network(pixel_values=_batch_of_one(rgb, SEGMENT_RULE)).logits
    full = functional.interpolate(logits, size=rgb.shape[:2], mode="bilinear")
    return np.asarray(full[0].argmax(dim=0).numpy())


def _batch_of_one(rgb: npt.NDArray[np.uint8], rule: ResizeRule) -> torch.Tensor:
    return normalised(torch.from_numpy(resized(rgb, rule).copy())[None])


def _normalised_depth(
    prediction: npt.NDArray[np.float32], ground: npt.NDArray[np.bool_]
) -> npt.NDArray[np.float32]:
    """The prediction with its 2nd and 98th percentile outside the sky at 0 and 1."""
    low, high = np.percentile(prediction[ground], PERCENTILES)
    return np.asarray((prediction - low) / max(high - low, 1e-6), dtype=np.float32)


def _pairs(
    depth: npt.NDArray[np.float32], truth: npt.NDArray[np.float32], rendered: Rendered
) -> list[Pair]:
    """All comparisons of two solids that are large enough."""
    numbers = range(1, len(rendered.silhouette_px) + 1)
    masks = [rendered.instance == number for number in numbers]
    cores = [_core(mask) for mask in masks if mask.sum() >= SMALLEST_RELATED_PX]
    quartiles = [np.percentile(depth[core], (25, 50, 75)) for core in cores]
    true_medians = [float(np.median(truth[core])) for core in cores]
    pairs = []
    for one, other in combinations(range(len(cores)), 2):
        margin = float(quartiles[one][1] - quartiles[other][1])
        spread = float(np.mean([quartiles[k][2] - quartiles[k][0] for k in (one, other)]))
        is_correct = (margin > 0) == (true_medians[one] > true_medians[other])
        pairs.append(Pair(abs(margin) > max(LEAST_MARGIN, spread / 2), is_correct))
    return pairs


def _core(mask: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """The mask without its rim, or all of it where too little would be left."""
    kernel = np.ones((2 * ERODE_PX + 1, 2 * ERODE_PX + 1), dtype=np.uint8)
    core = cv2.erode(mask.astype(np.uint8), kernel) > 0
    return core if core.sum() >= WHOLE_MASK_BELOW_PX else mask


def _is_named(
    rendered: Rendered, truth: npt.NDArray[np.uint8], prediction: npt.NDArray[np.intp]
) -> list[bool]:
    """Per visible solid, whether most of its pixels get its class."""
    right = truth == prediction
    masks = (rendered.instance == n for n in range(1, len(rendered.silhouette_px) + 1))
    return [bool(right[mask].mean() > 1 / 2) for mask in masks if mask.any()]


def _share(claims: Iterable[bool]) -> float:
    """How many of the claims hold, 0..1; 0 where there are none."""
    known = list(claims)
    return round(sum(known) / len(known), 4) if known else 0.0
