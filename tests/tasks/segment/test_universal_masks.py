"""From queries to masks: beside transformers' own post-processing, and the official rule."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from transformers.models.mask2former.image_processing_pil_mask2former import (
    Mask2FormerImageProcessorPil,
)
from transformers.models.maskformer.image_processing_pil_maskformer import (
    MaskFormerImageProcessorPil,
)

from tasks.segment.families import Task
from tasks.segment.masks import MaskStack, segments_of_masks
from tasks.segment.preprocess import MaskRule
from tasks.segment.universal.combine import instances, panoptic, semantic
from tasks.segment.universal.fuse import fused
from tasks.segment.universal.preprocess import QueryRule, input_size

SIDE = 384
"""Where `Mask2FormerImageProcessor` brings every mask before it looks."""
RULE = QueryRule(Task.PANOPTIC, 0.5)


def outputs(seed: int, classes: int = 4, queries: int = 9) -> SimpleNamespace:
    """Queries that are sure of themselves, on smooth masks."""
    drawn = torch.Generator().manual_seed(seed)
    logits = torch.randn((1, queries, classes + 1), generator=drawn) * 6
    coarse = torch.randn((1, queries, 6, 6), generator=drawn) * 8
    masks = torch.nn.functional.interpolate(coarse, size=(SIDE, SIDE), mode="bilinear")
    return SimpleNamespace(class_queries_logits=logits, masks_queries_logits=masks)


@pytest.mark.parametrize("seed", range(6))
def test_instances_are_those_of_transformers(seed: int):
    given = outputs(seed)
    theirs = Mask2FormerImageProcessorPil().post_process_instance_segmentation(
        given, threshold=0.5, return_binary_maps=True
    )[0]
    ours = instances(
        given.class_queries_logits[0], given.masks_queries_logits[0], (SIDE, SIDE), RULE
    )
    found = sorted(
        zip(
            ours.labels.tolist(),
            ours.scores.tolist(),
            ours.inside.sum((1, 2)).tolist(),
            strict=True,
        )
    )
    maps = theirs["segmentation"] if theirs["segments_info"] else torch.zeros((0, 1, 1))
    expected = sorted(
        (info["label_id"], info["score"], int(mask.sum()))
        for info, mask in zip(theirs["segments_info"], maps, strict=False)
    )
    assert found == [(pytest.approx(a), pytest.approx(b, abs=2e-6), c) for a, b, c in expected]


@pytest.mark.parametrize("seed", range(6))
def test_semantic_labels_are_those_of_transformers(seed: int):
    given = outputs(seed)
    (theirs,) = MaskFormerImageProcessorPil().post_process_semantic_segmentation(given)
    labels, scores = semantic(
        given.class_queries_logits[0], given.masks_queries_logits[0], (SIDE, SIDE)
    )
    assert torch.equal(labels, theirs)
    assert float(scores.min()) >= 0
    assert float(scores.max()) <= 1


def partition(owners: np.ndarray, classes: list[int], count: int) -> SimpleNamespace:
    """Queries so sure of disjoint masks that all rules agree."""
    logits = torch.full((1, len(classes), count + 1), -20.0)
    for query, label in enumerate(classes):
        logits[0, query, label] = 20.0
    masks = torch.stack(
        [torch.from_numpy(owners == q).float() * 60 - 30 for q in range(len(classes))]
    )
    return SimpleNamespace(class_queries_logits=logits, masks_queries_logits=masks[None])


def test_panoptic_of_a_clear_picture_is_that_of_transformers():
    owners = np.zeros((SIDE, SIDE), dtype=int)
    owners[:, 100:300] = 1
    owners[200:, :] = 2
    given = partition(owners, [2, 0, 2], 3)
    theirs = MaskFormerImageProcessorPil().post_process_panoptic_segmentation(
        given, label_ids_to_fuse={2}
    )[0]
    ours = panoptic(
        given.class_queries_logits[0], given.masks_queries_logits[0], (SIDE, SIDE), RULE
    )
    stack = MaskStack(ours.inside.numpy(), ours.scores.numpy(), ours.labels.numpy())
    joined = fused(stack, frozenset({2}))
    assert joined.labels is not None
    for info, mask in zip(joined.labels.tolist(), joined.inside, strict=True):
        numbers = {one["id"] for one in theirs["segments_info"] if one["label_id"] == info}
        assert np.isin(theirs["segmentation"].numpy(), list(numbers)).tolist() == mask.tolist()
    assert joined.labels.tolist() == [2, 0]


def test_panoptic_gives_pixels_of_no_query_to_nobody():
    given = partition(np.zeros((SIDE, SIDE), dtype=int), [0, 1], 2)
    masks = given.masks_queries_logits[0]
    masks[0, :, 200:] = -1.0  # probability 0.27: the best there, and still no object
    masks[1, :, 200:] = -2.0
    ours = panoptic(given.class_queries_logits[0], masks, (SIDE, SIDE), RULE)
    assert ours.labels.tolist() == [0]
    assert not ours.inside[0, :, 200:].any()
    assert ours.inside[0, :, :200].all()


def test_panoptic_drops_what_others_cover_and_what_is_nothing():
    owners = np.zeros((SIDE, SIDE), dtype=int)
    given = partition(owners, [0, 1, 2], 2)  # the third says "nothing"
    masks = given.masks_queries_logits[0]
    masks[1] = 29.0  # just less sure of the same pixels
    masks[2] = 30.0
    ours = panoptic(given.class_queries_logits[0], masks, (SIDE, SIDE), RULE)
    assert ours.labels.tolist() == [0]


def test_panoptic_masks_are_disjoint_and_ordered_by_query():
    given = outputs(11, queries=20)
    ours = panoptic(given.class_queries_logits[0], given.masks_queries_logits[0], (96, 64), RULE)
    assert ours.inside.shape[1:] == (96, 64)
    assert int(ours.inside.sum(dim=0).max()) <= 1


def test_fused_score_is_the_mean_over_the_area():
    inside = np.zeros((3, 4, 4), dtype=bool)
    inside[0, :1], inside[1, 1:2], inside[2, 2:] = True, True, True
    stack = MaskStack(inside, np.array([0.5, 0.9, 0.8], np.float32), np.array([1, 0, 1]))
    joined = fused(stack, frozenset({1}))
    assert joined.labels is not None
    assert joined.labels.tolist() == [1, 0]
    assert joined.scores.tolist() == pytest.approx([0.7, 0.9])
    assert joined.inside.sum(axis=(1, 2)).tolist() == [12, 4]
    assert fused(stack, frozenset()) is stack


def test_segments_of_masks_are_largest_first_whole_and_tight():
    inside = np.zeros((3, 64, 96), dtype=bool)
    inside[0, 2:12, 3:13] = True
    inside[1, 20:60, 30:90] = True
    inside[1, 0, 0] = True  # in two pieces, still one object
    stack = MaskStack(inside, np.array([0.9, 1.5, 0.7], np.float32), np.array([1, 2, 1]))
    found = segments_of_masks(stack, ("background", "dog", "cat"), MaskRule(64))
    assert [(s.label, s.area_px, s.score) for s in found] == [
        ("cat", 2401, 1.0),
        ("dog", 100, pytest.approx(0.9)),
    ]
    assert found[0].box == (0, 0, 90 / 96, 60 / 64)


@pytest.mark.parametrize(
    ("picture", "size"),
    [((640, 480), (1088, 800)), ((480, 640), (800, 1088)), ((3000, 500), (1344, 224))],
)
def test_input_size_is_that_of_the_published_processor(
    picture: tuple[int, int], size: tuple[int, int]
):
    assert input_size(*picture, 800) == size
    theirs = Mask2FormerImageProcessorPil()(
        [np.zeros((picture[1], picture[0], 3), dtype=np.uint8)], return_tensors="pt"
    )
    assert theirs["pixel_values"].shape[2:] == (size[1], size[0])
