import asyncio
import random
from collections.abc import Callable
from typing import Any

import pyarrow as pa
import pytest

from infra.teacher.types import ImagePart
from sightline.boxes import Box, from_view
from sightline.ids import image_id
from sightline.outcomes import Outcome
from sightline.schemas import GENERATIONS
from tasks.distill.case import ChainCase
from tasks.distill.replay import Parsed, steps_of
from tasks.distill.rounds import ChainResult
from tasks.distill.rows import tables_of
from tasks.distill.views import View
from tests.tasks.distill.many import distill


def _view(case: ChainCase, box: Box) -> View:
    data = f"{case.image_id} {box}".encode()
    return View(ImagePart(image_id(data), data, "image/png"), None)


def _generations(cases: Any, teacher: Any) -> pa.Table:
    async def run() -> list[ChainResult]:
        return [result async for result in distill(cases, teacher, _view, 4)]

    return tables_of(asyncio.run(run()), set()).generations


def _codes(parsed: Parsed) -> list[tuple[str, str]]:
    return [(f["item_id"], f["code"]) for f in parsed.failures.to_pylist()]


def test_steps_of_a_zoom_chain_are_its_elements_in_order(
    make_case: Callable[..., ChainCase], teacher: Any
):
    case = make_case()
    generations = _generations([case], teacher)
    parsed = steps_of(generations, [case])
    steps = parsed.steps.to_pylist()
    kinds = [[s["kind"] for s in steps if s["round"] == r] for r in (1, 2, 3)]
    zoom = ["image", "description", "roi", "reasoning"]
    assert kinds == [zoom, zoom, ["image", "reasoning", "answer"]]
    assert [s["position"] for s in steps] == [0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2]
    assert parsed.failures.num_rows == 0
    views = generations["view_box"].to_pylist()
    rois = [s for s in steps if s["kind"] == "roi"]
    assert rois[0]["box_original"] == pytest.approx(views[1])
    assert rois[1]["box_original"] == pytest.approx(
        from_view(tuple(rois[1]["box"]), tuple(views[1]))
    )
    assert [s["box_stated"] for s in rois] == [[0.45, 0.35, 0.66, 0.61]] * 2
    assert {s["box_convention"] for s in rois} == {"unit"}
    shown = [s["image_id"] for s in steps if s["kind"] == "image"]
    assert shown == generations["view_image_id"].to_pylist()


def test_steps_of_a_single_chain_hold_description_and_cites(
    make_case: Callable[..., ChainCase], teacher: Any, answered: Callable[..., str]
):
    case = make_case(target=(0.0, 0.0, 0.9, 0.9))
    near, far = "([0.1, 0.1, 0.3, 0.3], depth 0.83)", "([0.9, 0.9, 1.2, 1.2], 0.1)"
    reasoning = f"The sign {near} is near, the car {far} is not."
    teacher.texts["single"] = answered(reasoning=reasoning)
    steps = steps_of(_generations([case], teacher), [case]).steps.to_pylist()
    assert [s["kind"] for s in steps] == ["image", "reasoning", "answer", "cite", "cite"]
    good, outside = steps[3:]
    assert (good["text"], good["cited_depth"]) == ("The sign", 0.83)
    assert good["box_original"] == pytest.approx([0.1, 0.1, 0.3, 0.3])
    assert outside["box"] is None
    assert outside["box_stated"] == [0.9, 0.9, 1.2, 1.2]


def test_steps_of_shuffled_rows_are_the_same(make_case: Callable[..., ChainCase], teacher: Any):
    cases = [make_case(sample_id=f"s{i}", question=f"Q{i}?") for i in range(8)]
    generations = _generations(cases, teacher)
    order = list(range(generations.num_rows))
    random.Random(7).shuffle(order)  # noqa: S311 - a shuffle
    shuffled = steps_of(generations.take(order), reversed(cases))
    assert shuffled == steps_of(generations, cases)


def test_steps_of_replies_to_a_view_that_would_not_be_shown_are_cut_there(
    make_case: Callable[..., ChainCase], teacher: Any
):
    case = make_case()
    generations = _generations([case], teacher)
    moved = make_case(target=(0.1, 0.1, 0.15, 0.15))
    parsed = steps_of(generations, [moved])
    assert {s["round"] for s in parsed.steps.to_pylist()} == {1}
    assert _codes(parsed) == [(case.chain_id, "chain_incomplete")]
    assert "expected zoom on" in parsed.failures["detail"][0].as_py()


def test_steps_of_a_chain_whose_last_reply_is_lost_report_it(
    make_case: Callable[..., ChainCase], teacher: Any
):
    case = make_case()
    parsed = steps_of(_generations([case], teacher).slice(0, 2), [case])
    assert _codes(parsed) == [(case.chain_id, "chain_incomplete")]
    assert "before the final" in parsed.failures["detail"][0].as_py()


def test_steps_of_a_malformed_zoom_reply_still_lead_to_the_answer(
    make_case: Callable[..., ChainCase], teacher: Any
):
    teacher.texts["zoom"] = "I see a street."
    case = make_case()
    generations = _generations([case], teacher)
    parsed = steps_of(generations, [case])
    assert [s["kind"] for s in parsed.steps.to_pylist()] == [
        "image",
        "image",
        "reasoning",
        "answer",
    ]
    replies = generations["generation_id"].to_pylist()
    assert _codes(parsed) == [(reply, "reply_malformed") for reply in replies[:2]]


def test_steps_of_a_repaired_reply_hold_nothing_of_the_one_sent_back(
    make_case: Callable[..., ChainCase], teacher: Any, answered: Callable[..., str]
):
    teacher.repaired["final"] = answered()
    teacher.texts["final"] = "stop"
    case = make_case()
    generations = _generations([case], teacher)
    assert generations["turn"].to_pylist() == [None, None, None, 1]
    parsed = steps_of(generations.take([3, 1, 2, 0]), [case])
    last = [s["kind"] for s in parsed.steps.to_pylist() if s["round"] == 3]
    assert last == ["image", "reasoning", "answer"]
    assert _codes(parsed) == [(generations["generation_id"][2].as_py(), "reply_malformed")]


def test_steps_of_draws_are_those_of_their_own_replies(
    make_case: Callable[..., ChainCase], teacher: Any
):
    cases = [make_case(params={"draw": draw, "temperature": 1.0}) for draw in (0, 1)]
    parsed = steps_of(_generations(cases, teacher), cases)
    answers = [s for s in parsed.steps.to_pylist() if s["kind"] == "answer"]
    assert {s["chain_id"] for s in answers} == {case.chain_id for case in cases}
    assert parsed.failures.num_rows == 0


def test_steps_of_a_discarded_region_keep_what_was_stated(
    make_case: Callable[..., ChainCase], teacher: Any, said: Callable[..., str]
):
    teacher.texts["zoom"] = said([0.6, 0.2, 0.4, 0.5])
    case = make_case()
    parsed = steps_of(_generations([case], teacher), [case])
    roi = next(s for s in parsed.steps.to_pylist() if s["kind"] == "roi")
    assert (roi["box"], roi["box_original"]) == (None, None)
    assert roi["box_stated"] == [0.6, 0.2, 0.4, 0.5]
    assert [code for _, code in _codes(parsed)] == ["roi_malformed"]


def test_steps_of_an_ambiguous_region_say_how_it_was_read(
    make_case: Callable[..., ChainCase], teacher: Any, said: Callable[..., str]
):
    teacher.texts["zoom"] = said([450, 350, 660, 610])
    case = make_case()
    rois = [
        s
        for s in steps_of(_generations([case], teacher), [case]).steps.to_pylist()
        if s["kind"] == "roi"
    ]
    assert rois[0]["box_convention"] == "0-1000"
    assert "other convention would fit" in rois[0]["text"]


@pytest.mark.parametrize("outcome", [Outcome.ERROR, Outcome.REFUSED, Outcome.TRUNCATED])
def test_steps_of_a_chain_without_a_final_reply_are_incomplete(
    make_case: Callable[..., ChainCase], teacher: Any, outcome: Outcome
):
    teacher.outcomes["final"] = outcome
    case = make_case()
    parsed = steps_of(_generations([case], teacher), [case])
    assert "answer" not in parsed.steps["kind"].to_pylist()
    assert _codes(parsed) == [(case.chain_id, "chain_incomplete")]


def test_steps_of_replies_without_their_sample_are_a_failure(
    make_case: Callable[..., ChainCase], teacher: Any
):
    case = make_case()
    parsed = steps_of(_generations([case], teacher), [])
    assert parsed.steps.num_rows == 0
    assert _codes(parsed) == [(case.chain_id, "chain_incomplete")]


def test_steps_of_no_replies_are_empty():
    parsed = steps_of(GENERATIONS.empty(), [])
    assert (parsed.steps.num_rows, parsed.failures.num_rows) == (0, 0)
