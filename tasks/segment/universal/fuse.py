"""Segments of one label made one: a picture has one sky, however many queries saw it."""

import numpy as np

from tasks.segment.masks import MaskStack


def fused(stack: MaskStack, labels: frozenset[int]) -> MaskStack:
    """Return `stack` with the masks of each of `labels` joined, scored by their mean over area."""
    if stack.labels is None or not labels:
        return stack
    inside, names, scores = [], [], []
    for members in _groups(stack.labels.tolist(), labels):
        masks = stack.inside[members]
        areas = masks.sum(axis=(1, 2))
        inside.append(masks.any(axis=0))
        names.append(stack.labels[members[0]])
        scores.append(float(np.average(stack.scores[members], weights=areas)))
    if not inside:
        return stack
    return MaskStack(
        np.stack(inside), np.asarray(scores, dtype=np.float32), np.asarray(names, dtype=np.intp)
    )


def _groups(found: list[int], labels: frozenset[int]) -> list[list[int]]:
    """Return the numbers of the masks that become one, in the order of their first."""
    groups: list[list[int]] = []
    group_of: dict[int, list[int]] = {}
    for number, label in enumerate(found):
        if label in group_of:
            group_of[label].append(number)
            continue
        groups.append([number])
        if label in labels:
            group_of[label] = groups[-1]
    return groups
