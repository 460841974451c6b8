import itertools
import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sightline.boxes import FULL_VIEW, contains
from sightline.errors import Failure, RecipeError
from sightline.outcomes import Outcome
from sightline.roles import Role
from tasks.distill.asks import Ask
from tasks.distill.case import ChainCase, ChainParams
from tasks.distill.chain import Finished, Reply, StopReason, next_ask, route_of, walk
from tasks.distill.stages import Stage
from tasks.distill.zoom import Route

TARGET = (0.494, 0.456, 0.654, 0.610)
TIGHT = [0.48, 0.44, 0.66, 0.62]


def _case(**params: Any) -> ChainCase:
    return ChainCase(
        "sample_1", "What?", (), "stop", "text", TARGET, "image_1", 1000, 1000, (),
        ChainParams("t", **params),
    )  # fmt: skip


def test_next_ask_on_figure_2_zooms_twice_and_ends_on_crop_2(
    make_case: Callable[..., ChainCase], said: Callable[..., str], answered: Callable[..., str]
):
    """arXiv:2511.17731, figure 2."""
    case = make_case()
    first = next_ask(case, [])
    assert (first.stage, first.round, first.view_box) == (Stage.ZOOM, 1, FULL_VIEW)

    replies = [Reply(said([0.450, 0.350, 0.660, 0.610]))]
    second = next_ask(case, replies)
    assert (second.stage, second.round) == (Stage.ZOOM, 2)
    assert second.view_box == pytest.approx((0.450, 0.350, 0.660, 0.610))
    assert "Target region: [0.2095, 0.4077, 0.9714, 1.0000]" in second.prompt

    replies.append(Reply(said([0.21, 0.30, 0.971, 1.0])))
    third = next_ask(case, replies)
    assert (third.stage, third.round) == (Stage.FINAL, 3)
    assert "Target region: [0.0000, 0.1538, 1.0000, 1.0000]" in third.prompt
    ratios = [turn.region.ratio for turn in walk(case, replies).turns]
    assert ratios == pytest.approx([2.216, 1.182], abs=5e-4)

    assert next_ask(case, [*replies, Reply(answered())]) == Finished(StopReason.ANSWERED)


def test_next_ask_after_a_tight_region_asks_for_the_final(
    make_case: Callable[..., ChainCase], said: Callable[..., str]
):
    ask = next_ask(make_case(), [Reply(said(TIGHT))])
    assert (ask.stage, ask.round, ask.view_box) == (Stage.FINAL, 2, tuple(TIGHT))


@pytest.mark.parametrize("rounds", [1, 2, 3, 4, 5])
def test_next_ask_with_regions_that_never_get_tight_shows_at_most_the_rounds(
    make_case: Callable[..., ChainCase], said: Callable[..., str], rounds: int
):
    case, replies = make_case(params={"rounds": rounds}), []
    while (ask := next_ask(case, replies)).stage is Stage.ZOOM:
        replies.append(Reply(said([0, 0, 1, 1])))
    assert ask.round == rounds
    assert ask.stage is (Stage.SINGLE if rounds == 1 else Stage.FINAL)


@pytest.mark.parametrize(
    ("changes", "route"),
    [
        ({"target": (0.0, 0.0, 0.6, 0.6)}, Route.GATED),
        ({"target": None}, Route.NO_TARGET),
        ({"params": {"single_round_mix": 1.0}}, Route.MIXED),
        ({"params": {"rounds": 1}}, Route.ONE_ROUND),
    ],
)
def test_next_ask_of_a_sample_that_does_not_zoom_asks_once_about_the_image(
    make_case: Callable[..., ChainCase],
    answered: Callable[..., str],
    changes: dict[str, Any],
    route: Route,
):
    case = make_case(**changes)
    ask = next_ask(case, [])
    assert route_of(case) is route
    assert (ask.stage, ask.round, ask.view_box) == (Stage.SINGLE, 1, FULL_VIEW)
    assert "Round: 1 of 1\nTask: single" in ask.prompt
    assert next_ask(case, [Reply(answered())]) == Finished(StopReason.ANSWERED)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"image_id": None}, StopReason.NO_IMAGE),
        ({"question": None}, StopReason.NO_QUESTION),
        ({"question": " \n"}, StopReason.NO_QUESTION),
    ],
)
def test_next_ask_without_image_or_question_asks_nothing(
    make_case: Callable[..., ChainCase], changes: dict[str, Any], reason: StopReason
):
    assert next_ask(make_case(**changes), []).stop_reason is reason


@pytest.mark.parametrize(
    ("reply", "code"),
    [
        (Reply("I see a sign."), Failure.REPLY_MALFORMED),
        (Reply("", Outcome.EMPTY), Failure.REPLY_EMPTY),
        (Reply('{"roi": [0.4, 0.4', Outcome.TRUNCATED), Failure.TEACHER_TRUNCATED),
        (Reply('{"description": "a", "reasoning": "b"}'), Failure.ROI_MALFORMED),
        (Reply('{"roi": [0.4, 0.4, 0.6]}'), Failure.ROI_MALFORMED),
        (Reply('{"roi": [0.6, 0.4, 0.4, 0.6]}'), Failure.ROI_MALFORMED),
        (Reply('{"roi": [1.1, 0.4, 1.3, 0.6]}'), Failure.ROI_MALFORMED),
    ],
)
def test_next_ask_after_a_bad_zoom_reply_keeps_the_view_and_asks_for_the_final(
    make_case: Callable[..., ChainCase], said: Callable[..., str], reply: Reply, code: Failure
):
    case = make_case(params={"repair": 0})
    good = Reply(said([0.40, 0.30, 0.70, 0.70]))
    course = walk(case, [good, reply])
    assert course.then.stage is Stage.FINAL
    assert course.then.round == 3
    assert course.then.view_box == course.turns[1].ask.view_box
    assert course.turns[1].problem.code is code


@pytest.mark.parametrize("outcome", [Outcome.ERROR, Outcome.SKIPPED, Outcome.REFUSED])
def test_next_ask_after_a_failed_call_ends_the_chain(
    make_case: Callable[..., ChainCase], said: Callable[..., str], outcome: Outcome
):
    finished = next_ask(make_case(), [Reply(said(TIGHT), outcome)])
    assert finished.stop_reason is StopReason.CALL_FAILED


@pytest.mark.parametrize(
    "reply",
    [
        Reply("stop"),
        Reply('{"answer": "stop"}'),
        Reply('{"reasoning": "it reads stop", "answer": ""}'),
        Reply("", Outcome.EMPTY),
        Reply('{"reasoning": "a", "answer": "b"}', Outcome.TRUNCATED),
    ],
)
def test_next_ask_after_a_bad_final_reply_ends_without_an_answer(
    make_case: Callable[..., ChainCase], said: Callable[..., str], reply: Reply
):
    finished = next_ask(make_case(params={"repair": 0}), [Reply(said(TIGHT)), reply])
    assert finished.stop_reason is StopReason.NO_ANSWER


@pytest.mark.parametrize("stage", [Stage.ZOOM, Stage.FINAL])
def test_next_ask_after_a_malformed_reply_sends_it_back_once_without_its_thinking(
    make_case: Callable[..., ChainCase], said: Callable[..., str], stage: Stage
):
    before = [] if stage is Stage.ZOOM else [Reply(said(TIGHT))]
    asked = next_ask(make_case(), before)
    replies = [*before, Reply("<think>a sign</think>I see a sign.")]
    again = next_ask(make_case(), replies)
    assert (again.stage, again.round, again.view_box) == (stage, asked.round, asked.view_box)
    assert (again.prompt, again.turn) == (asked.prompt, 1)
    assert again.turns[0].reply == "I see a sign."
    assert "could not be read: expected" in again.turns[0].text
    assert again.prompt_id != asked.prompt_id
    after = next_ask(make_case(), [*replies, Reply("Still a sign.")])
    assert after == (
        next_ask(make_case(params={"repair": 0}), replies)
        if stage is Stage.ZOOM
        else Finished(StopReason.NO_ANSWER, "expected reasoning and answer, found no answer")
    )


def test_next_ask_after_a_repaired_reply_goes_on_as_if_it_had_been_the_first(
    make_case: Callable[..., ChainCase], said: Callable[..., str]
):
    good = Reply(said([0.450, 0.350, 0.660, 0.610]))
    assert next_ask(make_case(), [Reply("a sign"), good]) == next_ask(make_case(), [good])


def test_walk_with_replies_after_the_end_gives_them_no_turn(
    make_case: Callable[..., ChainCase], said: Callable[..., str], answered: Callable[..., str]
):
    replies = [Reply(said(TIGHT)), Reply(answered()), Reply(answered("go"))]
    course = walk(make_case(), replies)
    assert len(course.turns) == 2
    assert course.then == Finished(StopReason.ANSWERED)


def test_walk_of_a_tiny_target_never_shows_less_than_the_least_view(
    make_case: Callable[..., ChainCase], said: Callable[..., str]
):
    case = make_case(target=(0.5, 0.5, 0.502, 0.502), params={"min_view_px": 40})
    view = next_ask(case, [Reply(said([0.5, 0.5, 0.502, 0.502]))]).view_box
    assert view[2] - view[0] == pytest.approx(0.040)
    assert contains(view, case.target)


@given(
    st.lists(
        st.one_of(
            st.text(max_size=40),
            st.lists(st.floats(-1.5, 2000), min_size=4, max_size=4).map(
                lambda roi: json.dumps({"roi": roi, "reasoning": "r"})
            ),
            st.just('{"reasoning": "r", "answer": "a"}'),
        ),
        max_size=6,
    ),
    st.integers(1, 5),
)
def test_walk_of_any_replies_ends_within_the_rounds_on_views_that_hold_the_target(
    texts: list[str], rounds: int
):
    case = _case(rounds=rounds)
    course = walk(case, [Reply(text) for text in texts])
    asks = [turn.ask for turn in course.turns]
    asks += [course.then] if isinstance(course.then, Ask) else []
    first_of_round = [ask for ask in asks if ask.turn == 0]
    assert [ask.round for ask in first_of_round] == list(range(1, len(first_of_round) + 1))
    assert len(first_of_round) <= rounds
    assert len(asks) <= 2 * rounds
    for ask in asks:
        assert contains(ask.view_box, TARGET)
        assert contains(FULL_VIEW, ask.view_box, slack=0)
    for before, after in itertools.pairwise(asks):
        assert contains(before.view_box, after.view_box)


@pytest.mark.parametrize(
    "wrong",
    [
        {"rounds": 0}, {"stop_ratio": 0.5}, {"gate_share": 1.5}, {"single_round_mix": -0.1},
        {"max_view_px": 8}, {"max_tokens": 0}, {"repair": 2}, {"role": Role.JUDGE}, {"draw": -1},
    ],
)  # fmt: skip
def test_chain_params_out_of_range_raise(wrong: dict[str, Any]):
    with pytest.raises(RecipeError, match=next(iter(wrong))):
        ChainParams("t", **wrong)


def test_chain_id_depends_on_sample_and_parameters_only(make_case: Callable[..., ChainCase]):
    case = make_case()
    assert case.chain_id == make_case(question="Else?").chain_id
    assert case.chain_id != make_case(sample_id="sample_2").chain_id
    assert case.chain_id != make_case(params={"temperature": 0.5}).chain_id


def test_next_ask_by_named_grammars_follows_replies_in_their_form(
    make_case: Callable[..., ChainCase],
):
    case = make_case(params={"zoom_grammar": "bbox_tag", "grammar": "option_letter"})
    replies = [Reply(f"Here: <bbox>{TIGHT}</bbox>")]
    assert next_ask(case, replies).view_box == tuple(TIGHT)
    replies.append(Reply("It is red. The answer is (C)."))
    assert next_ask(case, replies) == Finished(StopReason.ANSWERED)
