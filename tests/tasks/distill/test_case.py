from typing import Any

import pytest

from sightline.errors import RecipeError
from sightline.schemas import OBJECTS, SAMPLES
from tasks.distill.case import ChainParams, SceneObject, cases_of
from tasks.replies.parsed import Grammar

PARAMS = ChainParams("t", max_objects=2)


def _sample(**changes: Any) -> dict[str, Any]:
    return {
        "sample_id": "s1", "row_key": "r1", "dataset": "d", "question": "What?", "answer": "yes",
        "answer_kind": "yes_no", "image_ids": ["i1"], "image_width": 200, "image_height": 100,
        "boxes": [[20.0, 10.0, 40.0, 50.0]], "n_boxes_clipped": 0,
    } | changes  # fmt: skip


def _object(object_id: int, box: list[float], **changes: Any) -> dict[str, Any]:
    return {
        "image_id": "i1", "object_id": object_id, "category": "cat", "box": box, "area_px": 9,
        "mask_rle": "", "mask_width": 10, "mask_height": 10, "score": 1.0, "depth_median": 0.5,
        "depth_status": "ok",
    } | changes  # fmt: skip


def test_cases_of_a_sample_hold_its_facts_in_fractions():
    case = cases_of(SAMPLES.rows([_sample()]), None, PARAMS)[0]
    assert (case.sample_id, case.image_id, case.size_px) == ("s1", "i1", (200, 100))
    assert case.target == pytest.approx((0.1, 0.1, 0.2, 0.5))
    assert case.objects == ()


def test_cases_of_a_sample_without_image_or_boxes_have_none():
    case = cases_of(SAMPLES.rows([_sample(image_ids=[], boxes=None)]), None, PARAMS)[0]
    assert (case.image_id, case.target) == (None, None)


def test_cases_of_objects_keep_the_largest_and_known_depth_only():
    objects = OBJECTS.rows(
        [
            _object(5, [0.0, 0.0, 0.1, 0.1]),
            _object(4, [0.0, 0.0, 0.5, 0.5], depth_status="sky"),
            _object(2, [0.0, 0.0, 0.4, 0.4], category=None),
            _object(9, [0.5, 0.5, 0.5, 0.9]),
            _object(1, [0.0, 0.0, 1.0, 1.0], image_id="i2"),
        ]
    )
    case = cases_of(SAMPLES.rows([_sample()]), objects, PARAMS)[0]
    assert case.objects == (
        SceneObject(2, "object", (0.0, 0.0, 0.4, 0.4), 0.5),
        SceneObject(4, "cat", (0.0, 0.0, 0.5, 0.5), None),
    )


@pytest.mark.parametrize(
    "changes", [{"grammar": Grammar.BBOX_JSON}, {"zoom_grammar": Grammar.HASH_ANSWER}]
)
def test_params_with_a_grammar_that_cannot_say_it_name_those_that_can(changes: dict[str, Grammar]):
    with pytest.raises(RecipeError, match="must be one of auto, "):
        ChainParams("m", **changes)
