"""What stored replies to second asks come to; no call is made."""

import json
import random
from collections.abc import Callable, Sequence
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sightline.outcomes import Outcome
from sightline.schemas import GENERATIONS, SAMPLES, STEPS
from tasks.review.asks import Stage
from tasks.review.case import ReviewCase, cases_of
from tasks.review.params import JudgeParams, NeedsImageParams, ReviewParams, RewriteParams
from tasks.review.read import ReviewTables, tables_of
from tasks.review.replies import parse_reply

CITE = "cup ([0.1,0.1,0.3,0.3],depth 0.83)"


def generations(stage: str, replies: Sequence[str | Outcome], **changes: Any) -> pa.Table:
    """Return a reply per draw; an outcome stands for a call that left nothing to read."""
    return GENERATIONS.rows(
        {
            "generation_id": f"g{draw}{changes.get('turn', '')}", "chain_id": f"review_{draw}",
            "subject_id": "chain_1", "role": "judge", "teacher": "t", "prompt_id": "p",
            "request_key": "k", "draw": draw, "round": 1, "stage": stage,
            "raw_text": "" if isinstance(said, Outcome) else said,
            "outcome": said.value if isinstance(said, Outcome) else "success",
        } | changes
        for draw, said in enumerate(replies)
    )  # fmt: skip


def read(case: ReviewCase, table: pa.Table, params: ReviewParams) -> ReviewTables:
    return tables_of(table, [case], params, "read")


def verdicts(tables: ReviewTables) -> dict[str, tuple[bool | None, float | None]]:
    return {v["rule"]: (v["passed"], v["score"]) for v in tables.verdicts.to_pylist()}


@pytest.mark.parametrize(
    ("replies", "expected"),
    [
        (['{"reason": "fine", "score": 1}'], (True, 1.0)),
        (['{"score": 0.5}', '{"score": 0.25}'], (False, 0.375)),
        (['{"score": 0.9}', "no score", Outcome.ERROR], (True, 0.9)),
        (['{"score": 7}'], (None, None)),
        ([Outcome.REFUSED], (None, None)),
    ],
)
def test_judge_passes_at_the_mean_score_of_what_can_be_read(
    make_case: Callable[..., ReviewCase],
    replies: list[str | Outcome],
    expected: tuple[bool | None, float | None],
):
    found = verdicts(read(make_case(), generations("judge", replies), JudgeParams()))
    assert found == {"judge": (expected[0], pytest.approx(expected[1]))}


@pytest.mark.parametrize(
    ("replies", "most_right", "expected"),
    [
        (['{"answer": "four"}'], 0.0, (False, 1.0)),
        (['{"answer": "3"}'], 0.0, (True, 0.0)),
        ([Outcome.REFUSED], 0.0, (True, 0.0)),
        (["I cannot see it"], 0.0, (None, None)),
        (['{"answer": "4"}', '{"answer": "5"}'], 0.5, (True, 0.5)),
        (['{"answer": "4"}', '{"answer": "5"}'], 0.4, (False, 0.5)),
    ],
)
def test_image_is_needed_where_few_guesses_without_it_are_right(
    make_case: Callable[..., ReviewCase],
    replies: list[str | Outcome],
    most_right: float,
    expected: tuple[bool | None, float | None],
):
    params = NeedsImageParams(most_right=most_right)
    found = verdicts(read(make_case(), generations("blind", replies), params))
    assert found == {"needs_image": expected}


def test_image_is_needed_measures_by_the_chains_answer_where_none_is_known(
    make_case: Callable[..., ReviewCase],
):
    table = generations("blind", ['{"answer": "4"}'])
    found = verdicts(read(make_case(known_answer=None), table, NeedsImageParams()))
    assert found == {"needs_image": (False, 1.0)}


@pytest.mark.parametrize(
    ("texts", "answer", "keeps_answer", "keeps_cites"),
    [
        ([f"My eye falls on the {CITE}.", "Four in all."], "4", (True, 1.0), (True, 1.0)),
        ([f"My eye falls on the {CITE}.", "Four in all."], "5", (False, 0.0), (True, 1.0)),
        (["A cup.", "Four."], "4", (True, 1.0), (False, 0.0)),
        ([f"The {CITE} and the {CITE}.", "Four."], "4", (True, 1.0), (False, 1.0)),
        ([f"The {CITE}: four."], "4", (False, 0.0), (True, 1.0)),
    ],
)
def test_rewrite_keeps_the_answer_every_reasoning_and_the_cites(
    make_case: Callable[..., ReviewCase],
    texts: list[str],
    answer: str,
    keeps_answer: tuple[bool, float],
    keeps_cites: tuple[bool, float],
):
    table = generations("rewrite", [json.dumps({"reasoning": texts, "answer": answer})])
    tables = read(make_case(), table, RewriteParams())
    assert verdicts(tables) == {
        "rewrite_keeps_answer": keeps_answer,
        "rewrite_keeps_cites": keeps_cites,
    }
    steps = [(s["round"], s["text"], s["chain_id"]) for s in tables.steps.to_pylist()]
    whole = len(texts) == 2
    assert steps == ([(n, t, "review_0") for n, t in enumerate(texts, 1)] if whole else [])


@pytest.mark.parametrize(
    ("said", "thinking"),
    [('{"score": 0.9}', "four cups"), ('<think>four cups</think>{"score": 0.9}', None)],
)
def test_judge_that_gives_no_reason_is_quoted_from_its_thinking(
    make_case: Callable[..., ReviewCase], said: str, thinking: str | None
):
    table = generations("judge", [said], thinking=thinking)
    (verdict,) = read(make_case(), table, JudgeParams()).verdicts.to_pylist()
    assert verdict["detail"] == "scores 0.9: four cups"


def test_repaired_reply_counts_instead_of_the_one_sent_back(make_case: Callable[..., ReviewCase]):
    first, second = (
        generations("blind", ["four"]),
        generations("blind", ['{"answer": "3"}'], turn=1),
    )
    tables = read(make_case(), pa.concat_tables([second, first]), NeedsImageParams())
    assert verdicts(tables) == {"needs_image": (True, 0.0)}
    assert tables.failures.num_rows == 0


def test_replies_in_any_order_come_to_the_same_and_unreadable_ones_are_named(
    make_case: Callable[..., ReviewCase],
):
    table = generations("judge", ['{"score": 0.9}', "well", '{"score": 0.2}'])
    order = list(range(table.num_rows))
    random.Random(3).shuffle(order)  # noqa: S311 - a shuffle
    one, other = (read(make_case(), t, JudgeParams()) for t in (table, table.take(order)))
    assert one == other
    failed = [(f["item_id"], f["code"]) for f in one.failures.to_pylist()]
    assert failed == [("g1", "reply_malformed")]


def test_chain_nobody_was_asked_about_has_no_verdict(make_case: Callable[..., ReviewCase]):
    assert verdicts(read(make_case(), GENERATIONS.empty(), JudgeParams())) == {}


@given(st.sampled_from(list(Stage)), st.text(max_size=200))
def test_parse_reply_of_any_text_returns(stage: Stage, text: str):
    parse_reply(stage, text)


def test_cases_are_the_finished_chains_that_were_not_rejected():
    sample = {
        "sample_id": "s1", "row_key": "r", "dataset": "d", "question": "How many?", "answer": "4",
        "image_ids": ["i1"], "image_width": 100, "image_height": 50, "n_boxes_clipped": 0,
        "boxes": [[10.0, 10.0, 20.0, 20.0], [30.0, 20.0, 40.0, 30.0]],
    }  # fmt: skip
    reply = {
        "subject_id": "s1", "role": "teacher", "teacher": "t", "prompt_id": "p", "draw": 0,
        "request_key": "k", "round": 1, "stage": "single", "raw_text": "", "outcome": "success",
    }  # fmt: skip
    chains = ("answered", "rejected", "cut")
    step = {"position": 0, "sample_id": "s1", "round": 1}
    steps = [
        step | {"generation_id": c, "chain_id": c, "kind": "reasoning", "text": "look"}
        for c in chains
    ]
    steps += [
        step | {"generation_id": c, "chain_id": c, "position": 1, "kind": "answer", "text": "4"}
        for c in chains[:2]
    ]
    (case,) = cases_of(
        SAMPLES.rows([sample]),
        GENERATIONS.rows(reply | {"generation_id": c, "chain_id": c} for c in chains),
        STEPS.rows(steps),
        {"rejected"},
    )
    assert (case.chain_id, case.given_answer, case.writer) == ("answered", "4", "t")
    assert case.target == pytest.approx((0.1, 0.2, 0.4, 0.6))
