import random
from typing import Any

import pyarrow as pa
import pytest

from sightline.boxes import Box
from sightline.schemas import GENERATIONS, OBJECTS, SAMPLES, STEPS
from tasks.verify.judge import Standard, judge_part
from tasks.verify.rules import CHAIN_RULES, ZOOM_RULES, VerifyParams

PROMPTS = ("Name what you see before you conclude from it. {{facts}} Reply with one object.",)
FULL = [0.0, 0.0, 1.0, 1.0]
TARGET_PX = [20.0, 20.0, 40.0, 40.0]
ROI = [0.2, 0.2, 0.4, 0.4]


def sample(sample_id: str = "s1", **changes: Any) -> dict[str, Any]:
    return {
        "sample_id": sample_id, "row_key": sample_id, "dataset": "d", "question": "How many?",
        "answer": "4", "answer_kind": "number", "image_ids": ["i1"], "image_width": 100,
        "image_height": 100, "boxes": [TARGET_PX], "n_boxes_clipped": 0,
    } | changes  # fmt: skip


def generation(number: int, stage: str, sample_id: str = "s1", **changes: Any) -> dict[str, Any]:
    return {
        "generation_id": f"{sample_id}_g{number}", "chain_id": f"{sample_id}_c",
        "subject_id": sample_id, "role": "teacher", "teacher": "t", "prompt_id": "p",
        "request_key": "k", "draw": 0, "round": number, "stage": stage, "view_image_id": "i1",
        "view_box": FULL, "raw_text": "", "outcome": "success",
    } | changes  # fmt: skip


def step(number: int, position: int, kind: str, sample_id: str = "s1", **changes: Any):
    return {
        "generation_id": f"{sample_id}_g{number}", "position": position,
        "chain_id": f"{sample_id}_c", "sample_id": sample_id, "round": number, "kind": kind,
    } | changes  # fmt: skip


def roi(number: int, stated: list[float] | None, fixed: list[float] | None, sample_id: str = "s1"):
    return step(number, 0, "roi", sample_id, box_stated=stated, box=fixed, box_original=fixed)


def cite(position: int, box: list[float] | None, depth: float | None = None):
    return step(2, position, "cite", text="cat", box=box, box_original=box, cited_depth=depth)


def scene_object(object_id: int, box: list[float], depth: float | None, status: str = "ok"):
    return {
        "image_id": "i1", "object_id": object_id, "box": box, "area_px": 1, "mask_rle": "",
        "mask_width": 1, "mask_height": 1, "score": 1.0, "depth_median": depth,
        "depth_status": status,
    }  # fmt: skip


def answer(text: str | None = "four", sample_id: str = "s1"):
    return step(2, 0, "answer", sample_id, text=text)


REPLIES = [generation(1, "zoom"), generation(2, "final")]


def findings(
    steps: list[dict[str, Any]],
    objects: list[dict[str, Any]] | None = None,
    samples: list[dict[str, Any]] | None = None,
    replies: list[dict[str, Any]] | None = None,
    **params: Any,
) -> dict[str, tuple]:
    rows = judged(steps, objects, samples, replies, **params)
    return {row["rule"]: (row["passed"], row["score"]) for row in rows}


def judged(
    steps: list[dict[str, Any]],
    objects: list[dict[str, Any]] | None = None,
    samples: list[dict[str, Any]] | None = None,
    replies: list[dict[str, Any]] | None = None,
    **params: Any,
) -> list[dict[str, Any]]:
    verdicts = judge_part(
        SAMPLES.rows(samples or [sample()]),
        GENERATIONS.rows(replies or REPLIES),
        STEPS.rows(steps),
        None if objects is None else OBJECTS.rows(objects),
        Standard(VerifyParams(**params), PROMPTS),
    )
    return verdicts.to_pylist()


def test_judge_part_of_a_good_chain_passes_what_can_be_decided():
    assert findings([roi(1, ROI, ROI), answer()]) == {
        "answer_match": (True, 1.0),
        "boxes_cited_valid": (None, None),
        "chain_complete": (True, 2.0),
        "depth_cited_agrees": (None, None),
        "reply_clean": (True, 0.0),
        "roi_contains_target": (True, pytest.approx(1.0)),
        "roi_iou": (True, pytest.approx(1.0)),
        "roi_valid": (True, pytest.approx(0.04)),
    }


def test_judge_part_of_a_chain_without_an_answer_is_incomplete_and_unmatched():
    found = findings([roi(1, ROI, ROI)])
    assert found["chain_complete"] == (False, 2.0)
    assert found["answer_match"] == (None, None)


def test_judge_part_of_a_wrong_answer_fails_the_match():
    assert findings([answer("five")])["answer_match"] == (False, 0.0)
    assert findings([answer("3.9")], relative_tolerance=0.05)["answer_match"] == (True, 1.0)


def test_judge_part_measures_the_region_as_stated_not_as_fixed():
    half = [0.2, 0.2, 0.3, 0.4]
    found = findings([roi(1, half, [0.2, 0.2, 0.4, 0.4])])
    assert found["roi_contains_target"] == (False, pytest.approx(0.5))
    assert found["roi_valid"][0] is True
    assert found["roi_iou"] == (True, pytest.approx(1.0))


def test_judge_part_maps_a_stated_region_through_its_view():
    replies = [generation(1, "zoom", view_box=[0.0, 0.0, 0.5, 0.5]), generation(2, "final")]
    found = findings([roi(1, [0.4, 0.4, 0.8, 0.8], ROI)], replies=replies)
    assert found["roi_contains_target"] == (True, pytest.approx(1.0))


@pytest.mark.parametrize(
    "stated", [None, [0.4, 0.2, 0.2, 0.4], [0.2, 0.2, 0.2, 0.4], [0.5, 0.5, 1.2, 0.9]]
)
def test_judge_part_of_a_region_that_is_no_box_in_the_view_is_invalid(stated: Any):
    assert findings([roi(1, stated, None)])["roi_valid"][0] is False


def test_judge_part_of_a_zoom_reply_without_region_or_target_is_undecided():
    found = findings([answer()])
    assert found["roi_valid"] == (False, None)
    assert found["roi_contains_target"] == (None, None)
    assert found["roi_iou"] == (None, None)
    no_target = findings([roi(1, ROI, ROI)], samples=[sample(boxes=None)])
    assert no_target["roi_contains_target"] == (None, None)
    assert no_target["roi_iou"] == (None, None)


def test_judge_part_of_cited_boxes_fails_if_one_is_outside():
    good, bad = cite(1, [0.1, 0.1, 0.2, 0.2]), cite(2, None)
    assert findings([answer(), good])["boxes_cited_valid"] == (True, 1.0)
    assert findings([answer(), good, bad])["boxes_cited_valid"] == (False, 0.5)


@pytest.mark.parametrize(
    ("box", "depth", "passed"),
    [
        ([0.1, 0.1, 0.5, 0.5], 0.80, True),
        ([0.1, 0.1, 0.5, 0.45], 0.89, True),
        ([0.1, 0.1, 0.5, 0.5], 0.91, False),
        ([0.1, 0.1, 0.25, 0.25], 0.80, False),
        (None, 0.80, False),
    ],
)
def test_judge_part_of_a_cited_depth_looks_the_object_up(box: Box, depth: float, *, passed: bool):
    objects = [scene_object(1, [0.1, 0.1, 0.5, 0.5], 0.8), scene_object(2, FULL, 0.1)]
    found = findings([answer(), cite(1, box, depth)], objects)
    assert found["depth_cited_agrees"][0] is passed


def test_judge_part_of_cited_depths_without_known_depths_is_undecided():
    cited = [answer(), cite(1, [0.1, 0.1, 0.5, 0.5], 0.8)]
    for objects in (None, [], [scene_object(1, FULL, None, "sky")]):
        assert findings(cited, objects)["depth_cited_agrees"] == (None, None)


LOOP = "and then I look at it again " * 6
ECHO = "Name what you see before you conclude from it. {{facts}} Reply with one object."


@pytest.mark.parametrize(
    ("said", "found"),
    [
        ({"raw_text": "<think>a</think>four"}, []),
        ({"raw_text": "the template opened it</think>four"}, []),
        ({"raw_text": "<think>it never ends", "outcome": "truncated"}, ["missing_end"]),
        ({"raw_text": "", "thinking": "it never ends"}, ["missing_end"]),
        ({"raw_text": "four<|im_end|>"}, ["role_token"]),
        ({"raw_text": "four", "thinking": LOOP}, ["repetition"]),
        ({"raw_text": f"{LOOP}{ECHO}"}, ["prompt_echo", "repetition"]),
        ({"raw_text": f"<think>{ECHO}</think>four"}, []),
    ],
)
def test_judge_part_of_a_reply_names_its_defects(said: dict[str, str], found: list[str]):
    replies = [generation(1, "zoom"), generation(2, "final", **said)]
    detail = "; ".join(f"{defect} in round 2" for defect in found) or "no defect"
    (row,) = (v for v in judged([answer()], replies=replies) if v["rule"] == "reply_clean")
    assert (row["passed"], row["score"], row["detail"]) == (not found, len(found), detail)
    assert row["subject_id"] == "s1_c"


def test_judge_part_of_a_reply_that_was_sent_back_counts_no_defect_of_it():
    sent_back = generation(2, "final", raw_text=LOOP, generation_id="other")
    repaired = generation(2, "final", raw_text="four", turn=1)
    found = findings([answer()], replies=[generation(1, "zoom"), sent_back, repaired])
    assert found["reply_clean"] == (True, 0.0)


def test_judge_part_requires_clean_replies_only_if_the_recipe_does():
    replies = [generation(1, "zoom"), generation(2, "final", raw_text="four<|im_end|>")]
    free = findings([answer()], replies=replies)
    strict = findings([answer()], replies=replies, clean_replies=True)
    assert strict == free | {"reply_clean_required": (False, 1.0)}


def test_judge_part_of_shuffled_rows_gives_the_same_verdicts():
    ids = [f"s{i}" for i in range(6)]
    samples = [sample(i) for i in ids]
    replies = [generation(n, s, i) for i in ids for n, s in ((1, "zoom"), (2, "final"))]
    steps = [s for i in ids for s in (roi(1, ROI, ROI, i), answer("four", i))]
    objects = [scene_object(n, FULL, 0.1 * n) for n in range(5)]

    def judge(shuffle: random.Random | None) -> pa.Table:
        lists = [list(rows) for rows in (samples, replies, steps, objects)]
        for rows in lists if shuffle else []:
            shuffle.shuffle(rows)
        contracts = (SAMPLES, GENERATIONS, STEPS, OBJECTS)
        tables = [c.rows(rows) for c, rows in zip(contracts, lists, strict=True)]
        return judge_part(*tables, Standard(VerifyParams()))

    expected = judge(None)
    assert expected.num_rows == len(ids) * (len(CHAIN_RULES) + len(ZOOM_RULES))
    assert all(judge(random.Random(seed)) == expected for seed in range(5))  # noqa: S311 - a shuffle


def test_judge_part_of_nothing_is_empty():
    empty = [c.empty() for c in (SAMPLES, GENERATIONS, STEPS, OBJECTS)]
    assert judge_part(*empty, Standard(VerifyParams())).num_rows == 0


def test_rule_names_are_the_keys_of_their_functions():
    for rules in (CHAIN_RULES, ZOOM_RULES):
        assert {name: judge.__name__ for name, judge in rules.items()} == {n: n for n in rules}
