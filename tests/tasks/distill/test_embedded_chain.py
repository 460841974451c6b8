"""Chains with the embedded teacher's own writer: the prompts say what it reads, and it is right."""

import asyncio
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from infra.embedded_teacher.prompt import read_prompt
from infra.embedded_teacher.writer import Mistakes, write_reply
from infra.teacher.types import ImagePart, Request, Response
from sightline.boxes import Box, contains
from sightline.ids import image_id
from sightline.outcomes import Outcome
from sightline.schemas import STEPS
from tasks.distill.case import ChainCase, ChainParams, SceneObject
from tasks.distill.chain import StopReason
from tasks.distill.replay import steps_of
from tasks.distill.rounds import ChainResult, run_chain
from tasks.distill.rows import tables_of
from tasks.distill.views import View

SIDES = st.tuples(st.floats(0.0, 0.9), st.floats(0.02, 0.5))
TARGETS = st.tuples(SIDES, SIDES).map(
    lambda s: (s[0][0], s[1][0], min(1.0, sum(s[0])), min(1.0, sum(s[1])))
)


def _view(case: ChainCase, box: Box) -> View:
    data = f"{case.image_id} {box}".encode()
    return View(ImagePart(image_id(data), data, "image/png"), None)


def _chain(target: Box, mistakes: Mistakes = Mistakes(), **params: Any) -> ChainResult:  # noqa: B008
    async def ask(request: Request) -> Response:
        text = write_reply(read_prompt(str(request.content[1])), request.request_key, mistakes)
        return Response(
            request_key=request.request_key, draw=0, text=text, thinking=None, raw_text=text,
            outcome=Outcome.SUCCESS, finish_reason="stop", tokens_in=1, tokens_out=1,
            tokens_reasoning=None, cost_usd=None, latency_ms=None, reused=False,
        )  # fmt: skip

    objects = (
        SceneObject(1, "large red metal cube", target, 0.83),
        SceneObject(2, "ball", (0.0, 0.0, 1.0, 1.0), 0.2),
    )
    case = ChainCase(
        "s1", "What colour is the large red metal cube?", (), "red", "text", target, "i1",
        1000, 800, objects, ChainParams("embedded", **params),
    )  # fmt: skip
    return asyncio.run(run_chain(case, ask, _view))


def _steps(result: ChainResult) -> list[dict[str, Any]]:
    tables = tables_of([result], set())
    parsed = steps_of(tables.generations, [result.case])
    assert parsed.failures.num_rows == 0
    assert parsed.steps.schema == STEPS.payload
    return parsed.steps.to_pylist()


@settings(max_examples=60, deadline=None)
@given(TARGETS)
def test_chains_of_any_target_end_with_the_answer_and_valid_cites(target: Box):
    result = _chain(target)
    assert result.finished.stop_reason is StopReason.ANSWERED
    steps = _steps(result)
    assert [s["text"] for s in steps if s["kind"] == "answer"] == ["red"]
    cites = [s for s in steps if s["kind"] == "cite"]
    assert {s["text"] for s in cites} <= {"large red metal cube", "ball"}
    assert {s["cited_depth"] for s in cites} <= {0.83, 0.2}
    assert all(s["box"] is not None for s in cites)
    for step in steps:
        if step["kind"] == "roi":
            assert contains(tuple(step["box_original"]), target, slack=1e-6)


@settings(max_examples=60, deadline=None)
@given(TARGETS)
def test_chains_with_wrong_boxes_still_end_on_a_view_that_holds_the_target(target: Box):
    result = _chain(target, Mistakes(wrong_box=True))
    assert result.finished.stop_reason is StopReason.ANSWERED
    assert contains(result.exchanges[-1].ask.view_box, target)


def test_chains_with_malformed_replies_are_sent_back_and_have_no_answer():
    result = _chain((0.1, 0.1, 0.2, 0.2), Mistakes(malformed=True))
    assert result.finished.stop_reason is StopReason.NO_ANSWER
    asked = [(e.ask.stage.value, e.ask.turn) for e in result.exchanges]
    assert asked == [("zoom", 0), ("zoom", 1), ("final", 0), ("final", 1)]


def test_chains_with_wrong_answers_are_complete_and_wrong():
    result = _chain((0.1, 0.1, 0.2, 0.2), Mistakes(wrong_answer=True))
    answers = [s["text"] for s in _steps(result) if s["kind"] == "answer"]
    assert len(answers) == 1
    assert answers != ["red"]
