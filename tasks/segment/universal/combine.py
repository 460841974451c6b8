"""From the queries of a universal network to the masks of one picture, on the network's device.

Panoptic inference is the official one (facebookresearch/Mask2Former, `maskformer_model.py`,
`panoptic_inference`): every pixel goes to the query with the greatest score times probability, a
query keeps its pixels only where its own probability reaches one half, and a query that others
cover too much is dropped.  `transformers` differs twice: it gives pixels of no query to the best
of them, and weighs the covered share by the score.
"""

from dataclasses import dataclass

import torch

from tasks.segment.universal.preprocess import MASK_THRESHOLD, MIN_VISIBLE, QueryRule


@dataclass(frozen=True, slots=True)
class Masks:
    """Masks of one picture, in the order of their queries.

    Attributes:
        inside: (n, H, W) bool.
        labels: (n,) int64.
        scores: (n,) float32, [0, 1].
    """

    inside: torch.Tensor
    labels: torch.Tensor
    scores: torch.Tensor


def panoptic(
    classes: torch.Tensor, masks: torch.Tensor, size: tuple[int, int], rule: QueryRule
) -> Masks:
    """Return disjoint masks.

    Args:
        classes: (Q, C + 1) logits, the last class is "nothing".
        masks: (Q, h, w) logits.
        size: (H, W) of the grid.
        rule: what stays.
    """
    scores, labels = classes.softmax(dim=-1).max(dim=-1)
    candidates = (labels != classes.shape[-1] - 1) & (scores > rule.min_score)
    scores, labels = scores[candidates], labels[candidates]
    if not len(scores):
        return _none(size, classes)
    odds = _on_grid(masks[candidates], size).sigmoid()
    owner = (odds * scores[:, None, None]).argmax(dim=0)
    numbers = torch.arange(len(scores), device=owner.device)
    own = owner[None] == numbers[:, None, None]
    inside = odds >= MASK_THRESHOLD
    visible, whole = own.sum(dim=(1, 2)), inside.sum(dim=(1, 2))
    shown = own & inside
    stays = shown.any(dim=2).any(dim=1) & (visible >= MIN_VISIBLE * whole)
    return Masks(shown[stays], labels[stays], scores[stays])


def instances(
    classes: torch.Tensor, masks: torch.Tensor, size: tuple[int, int], rule: QueryRule
) -> Masks:
    """Return masks that may overlap; a score is that of the class times that of the mask.

    Args:
        classes: (Q, C + 1) logits, the last class is "nothing".
        masks: (Q, h, w) logits.
        size: (H, W) of the grid.
        rule: what stays.
    """
    by_class = classes.softmax(dim=-1)[:, :-1]
    best, flat = by_class.flatten().topk(len(classes))
    likely = best >= rule.min_score  # the mask's own score lowers it further
    flat = flat[likely].sort().values
    if not len(flat):
        return _none(size, classes)
    queries, labels = flat // by_class.shape[1], flat % by_class.shape[1]
    logits = _on_grid(masks[queries], size)
    inside = logits > 0
    area = inside.sum(dim=(1, 2))
    certainty = (logits.sigmoid() * inside).sum(dim=(1, 2)) / (area + 1e-6)
    scores = by_class[queries, labels] * certainty
    stays = (scores >= rule.min_score) & (area > 0)
    return Masks(inside[stays], labels[stays], scores[stays])


def semantic(
    classes: torch.Tensor, masks: torch.Tensor, size: tuple[int, int]
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return (H, W) labels and their scores, the label's share of what all labels claim.

    Args:
        classes: (Q, C + 1) logits, the last class is "nothing".
        masks: (Q, h, w) logits.
        size: (H, W) of the grid.
    """
    by_class = classes.softmax(dim=-1)[:, :-1]
    claims = torch.einsum("qc,qhw->chw", by_class, masks.sigmoid())
    grid = _on_grid(claims, size)
    best, labels = grid.max(dim=0)
    return labels, best / grid.sum(dim=0).clamp(min=1.0)


def _on_grid(planes: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
    if planes.shape[1:] == size:
        return planes
    return torch.nn.functional.interpolate(planes[None], size=size, mode="bilinear")[0]


def _none(size: tuple[int, int], like: torch.Tensor) -> Masks:
    return Masks(
        torch.zeros((0, *size), dtype=torch.bool, device=like.device),
        torch.zeros(0, dtype=torch.int64, device=like.device),
        torch.zeros(0, dtype=torch.float32, device=like.device),
    )
