import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sightline.boxes import iou
from tasks.detect.boxes import BoxRule, Candidates, corners, detections_of

RULE = BoxRule(min_score=0.25, max_overlap=0.5, max_boxes=100)
QUERIES = ("mug", "box")
REALS = st.floats(-0.5, 1.5, width=32)


def found(boxes: list[list[float]], scores: list[float], queries: list[int]) -> Candidates:
    return Candidates(
        np.asarray(boxes, dtype=np.float32).reshape(-1, 4),
        np.asarray(scores, dtype=np.float32),
        np.asarray(queries, dtype=np.intp),
        ["" for _ in scores],
    )


def test_corners_of_centred_boxes():
    centred = np.array([[0.5, 0.5, 0.2, 0.4]])
    assert corners(centred)[0].tolist() == pytest.approx([0.4, 0.3, 0.6, 0.7])


def test_detections_are_clipped_ordered_and_over_the_threshold():
    said = found(
        [[-0.2, 0.1, 0.4, 0.6], [0.5, 0.5, 1.4, 0.9], [0.1, 0.1, 0.2, 0.2]],
        [0.5, 0.75, 0.25],
        [0, 1, 0],
    )
    best, second = detections_of(said, QUERIES, RULE)
    assert (best.query, best.label, best.score) == ("box", "box", 0.75)
    assert best.box == pytest.approx((0.5, 0.5, 1.0, 0.9))
    assert second.box == pytest.approx((0.0, 0.1, 0.4, 0.6))


def test_detections_beyond_the_picture_or_without_area_are_none():
    said = found([[1.1, 0.1, 1.3, 0.6], [0.5, 0.5, 0.5, 0.9]], [0.9, 0.9], [0, 0])
    assert detections_of(said, QUERIES, RULE) == []


def test_one_thing_named_twice_by_one_query_is_one_detection():
    boxes = [[0.1, 0.1, 0.5, 0.5], [0.1, 0.1, 0.5, 0.51]]
    assert len(detections_of(found(boxes, [0.5, 0.6], [0, 0]), QUERIES, RULE)) == 1
    assert len(detections_of(found(boxes, [0.5, 0.6], [0, 1]), QUERIES, RULE)) == 2


@given(st.lists(st.tuples(REALS, REALS, REALS, REALS, st.integers(0, 3), st.integers(0, 1))))
def test_detections_of_any_boxes_fit_and_do_not_depend_on_order(
    rows: list[tuple[float, float, float, float, int, int]],
):
    boxes = [list(row[:4]) for row in rows]
    scores, queries = [0.2 + row[4] / 5 for row in rows], [row[5] for row in rows]
    first = detections_of(found(boxes, scores, queries), QUERIES, RULE)
    turned = detections_of(found(boxes[::-1], scores[::-1], queries[::-1]), QUERIES, RULE)
    assert first == turned
    assert [d.score for d in first] == sorted((d.score for d in first), reverse=True)
    for number, one in enumerate(first):
        assert 0 <= one.box[0] < one.box[2] <= 1
        assert 0 <= one.box[1] < one.box[3] <= 1
        same = [other for other in first[:number] if other.query == one.query]
        assert all(iou(one.box, other.box) <= 0.5 + 1e-9 for other in same)


def test_more_than_allowed_keeps_the_best():
    said = found(
        [[n / 10, 0.0, n / 10 + 0.05, 1.0] for n in range(5)], [0.3, 0.9, 0.5, 0.8, 0.4], [0] * 5
    )
    kept = detections_of(said, QUERIES, BoxRule(0.25, 0.5, 2))
    assert [d.score for d in kept] == pytest.approx([0.9, 0.8])
