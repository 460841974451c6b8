"""A teacher that thinks gives the same chain wherever its endpoint puts the thinking."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from infra.images.shelf import ShelvedImage
from infra.teacher.types import Asker
from sightline.ids import image_id
from sightline.schemas import SAMPLES
from tasks.distill.case import ChainCase
from tasks.distill.chain import Finished, Reply, StopReason, walk
from tasks.distill.parse import FinalReply, ZoomReply
from tasks.distill.replay import Parsed, steps_of
from tasks.distill.rounds import asked_here
from tasks.distill.rows import tables_of
from tasks.distill.views import ViewCutter
from tasks.replies.parsed import Grammar
from tasks.verify.judge import Standard, judge_part
from tasks.verify.rules import VerifyParams
from tests.infra.teachers import MODEL, server_that, teacher_at
from tests.sql.lake_tables import answer, connect

APART = "The letters on the sign are s, t, o and p."
ANSWER_ALONE = {
    "response_format": {
        "type": "json_schema",
        "json_schema": {
            "name": "answer",
            "schema": {
                "type": "object",
                "properties": {"answer": {"type": "string"}},
                "required": ["answer"],
                "additionalProperties": False,
            },
        },
    }
}
"""What makes an endpoint leave the reasoning to the thinking."""


def asked(case: ChainCase, teacher: Asker, picture: bytes) -> tuple[Any, Parsed]:
    """Return the generations of a chain, and what the replay makes of them."""
    run = asked_here(teacher)
    cutter = ViewCutter(lambda _id: ShelvedImage(picture, "signs", "CC0-1.0"))
    result = asyncio.run(run(case, cutter, lambda: None))
    assert result.finished == Finished(StopReason.ANSWERED)
    generations = tables_of([result], set()).generations
    return generations, steps_of(generations, [case])


def accepted(case: ChainCase, generations: Any, parsed: Parsed) -> bool:
    """Return whether the views accept the one chain."""
    sample = {
        "sample_id": case.sample_id, "row_key": "r", "dataset": "d", "question": case.question,
        "answer": case.answer, "answer_kind": case.answer_kind, "image_ids": [case.image_id],
        "image_width": case.width, "image_height": case.height, "boxes": [], "n_boxes_clipped": 0,
    }  # fmt: skip
    verdicts = judge_part(
        SAMPLES.rows([sample]), generations, parsed.steps, None, Standard(VerifyParams())
    ).to_pylist()
    rows = {"generations": generations.to_pylist(), "steps": parsed.steps.to_pylist()}
    found = answer(connect(rows | {"verdicts": verdicts}), "select accepted from chains")
    return [row["accepted"] for row in found] == [True]


@pytest.fixture
def shown(make_case: Callable[..., ChainCase], picture: Callable[..., bytes]) -> ChainCase:
    return make_case(image_id=image_id(picture()), width=100, height=80)


@pytest.mark.parametrize("form", ["field", "tags", "kimi"])
def test_chains_of_a_teacher_that_thinks_are_accepted_in_every_form(
    form: str, shown: ChainCase, picture: Callable[..., bytes], tmp_path: Path
):
    zooming = replace(shown, params=replace(shown.params, teacher=MODEL, min_view_px=4))
    params = replace(zooming.params, extra=ANSWER_ALONE)
    terse = replace(shown, target=None, params=params)
    with server_that(thinking=form) as server, teacher_at(server.base_url, tmp_path) as (t, _):
        for case in (zooming, terse):
            generations, parsed = asked(case, t, picture())
            assert parsed.failures.num_rows == 0
            assert accepted(case, generations, parsed)
    thinking = generations["thinking"].to_pylist()
    said = {step["kind"]: step["text"] for step in parsed.steps.to_pylist()}
    assert '"reasoning"' not in generations["answer_text"][0].as_py()
    assert (said["answer"], [said["reasoning"]]) == ("stop", thinking)


@pytest.mark.parametrize(
    ("grammar", "said"),
    [
        (Grammar.AUTO, '{"answer": "stop"}'),
        (Grammar.AUTO, "<answer>stop</answer>"),
        (Grammar.AUTO, "### Answer: stop"),
        (Grammar.FREE_TEXT, "stop"),
        (Grammar.OPTION_LETTER, "The answer is (B)."),
    ],
)
def test_thinking_apart_is_read_as_thinking_in_tags_is(
    make_case: Callable[..., ChainCase], grammar: Grammar, said: str
):
    case = make_case(target=None, params={"grammar": grammar})
    apart = walk(case, [Reply(said, thinking=APART)])
    inside = walk(case, [Reply(f"<think>{APART}</think>{said}")])
    assert apart.then == inside.then == Finished(StopReason.ANSWERED)
    assert apart.turns[0].parsed == inside.turns[0].parsed
    assert isinstance(apart.turns[0].parsed, FinalReply)
    assert apart.turns[0].parsed.reasoning == APART


def test_reasoning_that_the_text_states_is_not_replaced_by_thinking(
    make_case: Callable[..., ChainCase], answered: Callable[..., str]
):
    course = walk(make_case(target=None), [Reply(answered(), thinking=APART)])
    assert isinstance(course.turns[0].parsed, FinalReply)
    assert course.turns[0].parsed.reasoning == "it reads stop"
    assert course.turns[0].parsed.thinking == APART


def test_region_without_reasoning_is_explained_by_the_thinking(
    make_case: Callable[..., ChainCase],
):
    course = walk(make_case(), [Reply('{"roi": [0.45, 0.35, 0.66, 0.61]}', thinking=APART)])
    assert isinstance(course.turns[0].parsed, ZoomReply)
    assert course.turns[0].parsed.reasoning == APART
    assert course.turns[0].problem is None


def test_box_tokens_in_thinking_apart_state_the_region(make_case: Callable[..., ChainCase]):
    case = make_case(params={"zoom_grammar": Grammar.ZOOM_TOKENS})
    thinking = "The sign <|box_start|>(450,350),(660,610)<|box_end|> is small. <|image_zoomin|>"
    course = walk(case, [Reply("<answer>later</answer>", thinking=thinking)])
    assert course.turns[0].region is not None


def test_thinking_without_a_reply_is_sent_back(make_case: Callable[..., ChainCase]):
    course = walk(make_case(target=None), [Reply("", thinking=APART)])
    assert course.turns[0].ask.turn == 0
    assert not isinstance(course.then, Finished)
    assert course.then.turn == 1
