import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from infra.images.suppression import keep_best, keep_best_by_label, overlaps
from sightline.boxes import iou

CORNERS = st.integers(0, 12).map(float)


@st.composite
def scored_boxes(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    count = draw(st.integers(0, 12))
    corners = draw(hnp.arrays(np.float64, (count, 2, 2), elements=CORNERS))
    scores = draw(hnp.arrays(np.float32, count, elements=st.sampled_from([0.25, 0.5, 0.75, 1.0])))
    return np.sort(corners, axis=1).reshape(count, 4), scores


def greedy(boxes: np.ndarray, scores: np.ndarray, max_iou: float) -> list[int]:
    """The rule, one pair at a time."""
    kept: list[int] = []
    for number in sorted(range(len(boxes)), key=lambda n: (-scores[n], n)):
        if all(iou(tuple(boxes[number]), tuple(boxes[other])) <= max_iou for other in kept):
            kept.append(number)
    return kept


@given(scored_boxes(), st.sampled_from([0.0, 0.3, 0.5, 0.7, 1.0]))
def test_keep_best_is_the_greedy_rule(found: tuple[np.ndarray, np.ndarray], max_iou: float):
    boxes, scores = found
    assert keep_best(boxes, scores, max_iou).tolist() == greedy(boxes, scores, max_iou)


@given(scored_boxes(), st.data())
def test_keep_best_by_label_lets_other_labels_alone(
    found: tuple[np.ndarray, np.ndarray], data: st.DataObject
):
    boxes, scores = found
    labels = np.asarray(
        data.draw(st.lists(st.integers(0, 2), min_size=len(boxes), max_size=len(boxes))),
        dtype=np.intp,
    )
    kept = keep_best_by_label(boxes, scores, labels, 0.5).tolist()
    expected = []
    for label in range(3):
        members = np.flatnonzero(labels == label)
        expected += [int(members[n]) for n in greedy(boxes[members], scores[members], 0.5)]
    assert kept == sorted(expected, key=lambda n: (-scores[n], n))


def test_overlaps_of_known_boxes():
    others = np.array([[0.0, 0.0, 2.0, 2.0], [1.0, 0.0, 3.0, 2.0], [5.0, 5.0, 5.0, 9.0]])
    found = overlaps(np.array([0.0, 0.0, 2.0, 2.0]), others)
    assert found.tolist() == pytest.approx([1.0, 1 / 3, 0.0])


def test_keep_best_of_equal_scores_takes_the_first():
    boxes = np.array([[0.0, 0.0, 2.0, 2.0], [0.0, 0.0, 2.0, 2.0]])
    assert keep_best(boxes, np.array([0.5, 0.5]), 0.7).tolist() == [0]
