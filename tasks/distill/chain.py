"""The course of a chain as a pure function of the case and the replies so far (ADR 0007).

The live loop and the replay of stored replies both walk this function, so they cannot disagree.
A chain shows at most `rounds` views, the last of which is answered: counted this way the published
shares of rounds 1/2/3 (R = 3) and 1/2/3/4 (R = 4) of arXiv:2511.17731 have no rest.

What becomes of a bad reply, by stage:

    outcome or content               zoom                              final, single
    error, skipped, refused          the chain ends without an answer  the same
    malformed                        sent back once; then as the next  the same
    truncated, empty, malformed      keep the view, ask for the final  the chain ends without answer
    region malformed or degenerate   keep the view, ask for the final  -
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from sightline.boxes import FULL_VIEW, to_view
from sightline.errors import Failure
from sightline.outcomes import Outcome
from tasks.asking.outcomes import CALL_FAILURES
from tasks.distill.asks import Ask, make_ask
from tasks.distill.case import ChainCase
from tasks.distill.parse import FinalReply, Malformed, ZoomReply, parse_final, parse_zoom
from tasks.distill.stages import Stage
from tasks.distill.zoom import (
    Region,
    Route,
    in_mix,
    is_gated,
    is_tight,
    next_view,
    shown_size_px,
    verify_and_fix,
)
from tasks.replies.stated_boxes import BoxProblem, Frame, StatedBox


class StopReason(StrEnum):
    """Why a chain asks no more."""

    ANSWERED = "answered"
    NO_IMAGE = "no_image"
    NO_QUESTION = "no_question"
    NO_VIEW = "no_view"
    CALL_FAILED = "call_failed"
    NO_ANSWER = "no_answer"


NEVER_ASKED = {
    StopReason.NO_IMAGE: Failure.IMAGE_MISSING,
    StopReason.NO_QUESTION: Failure.ASK_SKIPPED,
}
"""Reasons to skip a sample, as failures of the step that would have called."""

_ENDING = frozenset({Outcome.ERROR, Outcome.SKIPPED, Outcome.REFUSED})


@dataclass(frozen=True, slots=True)
class Reply:
    """What the teacher sent back, and what became of the call.

    Attributes:
        text: verbatim.
        thinking: what the endpoint returned apart from the text, null if it did not.
    """

    text: str
    outcome: Outcome = Outcome.SUCCESS
    thinking: str | None = None


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong with one reply."""

    code: Failure
    detail: str


@dataclass(frozen=True, slots=True)
class Finished:
    """The end of a chain."""

    stop_reason: StopReason
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Turn:
    """One ask, its reply and what it came to.

    Attributes:
        parsed: None if the outcome leaves nothing to parse.
        region: the verified region of a zoom round; None keeps the view.
        problem: None if all went well.
    """

    ask: Ask
    reply: Reply
    parsed: ZoomReply | FinalReply | Malformed | None
    region: Region | None
    problem: Problem | None


@dataclass(frozen=True, slots=True)
class Course:
    """The turns taken, and what follows them; replies after the end have no turn."""

    turns: tuple[Turn, ...]
    then: Ask | Finished


def next_ask(case: ChainCase, replies: Sequence[Reply]) -> Ask | Finished:
    """Return what to ask after `replies`, or why the chain ends."""
    return walk(case, replies).then


def walk(case: ChainCase, replies: Sequence[Reply]) -> Course:
    """Return the course of the chain that got `replies`, in their order."""
    then = _first(case)
    turns: list[Turn] = []
    for reply in replies:
        if isinstance(then, Finished):
            break
        turns.append(_turn(case, then, reply))
        then = _after(case, turns[-1])
    return Course(tuple(turns), then)


def route_of(case: ChainCase) -> Route:
    """Return whether this sample zooms, and if not, why."""
    params = case.params
    if case.target is None:
        return Route.NO_TARGET
    if is_gated(case.target, params.gate_share):
        return Route.GATED
    if in_mix(case.sample_id, params.single_round_mix):
        return Route.MIXED
    return Route.ZOOM if params.rounds > 1 else Route.ONE_ROUND


def frame_of(case: ChainCase, ask: Ask) -> Frame:
    """Return what is needed to read boxes in the reply to `ask`."""
    shown = shown_size_px(ask.view_box, case.size_px, case.params.max_view_px)
    return Frame(*shown, case.params.large_boxes)


def _first(case: ChainCase) -> Ask | Finished:
    if case.question is None or not case.question.strip():
        return Finished(StopReason.NO_QUESTION, "the sample has no question")
    if case.image_id is None:
        return Finished(StopReason.NO_IMAGE, "the sample names no stored image")
    stage = Stage.ZOOM if route_of(case) is Route.ZOOM else Stage.SINGLE
    return make_ask(case, stage, 1, FULL_VIEW)


def _turn(case: ChainCase, ask: Ask, reply: Reply) -> Turn:
    failure = CALL_FAILURES.get(reply.outcome)
    if failure is not None:
        problem = Problem(failure, f"{ask.stage} round {ask.round}: {reply.outcome}")
        return Turn(ask, reply, None, None, problem)
    return (_zoom_turn if ask.stage is Stage.ZOOM else _final_turn)(case, ask, reply)


def _zoom_turn(case: ChainCase, ask: Ask, reply: Reply) -> Turn:
    frame, grammar = frame_of(case, ask), case.params.zoom_grammar
    parsed = parse_zoom(reply.text, frame, grammar, reply.thinking)
    if isinstance(parsed, Malformed):
        return Turn(ask, reply, parsed, None, Problem(Failure.REPLY_MALFORMED, parsed.expected))
    if isinstance(parsed.roi, BoxProblem):
        problem = Problem(Failure.ROI_MALFORMED, parsed.roi.found)
        return Turn(ask, reply, parsed, None, problem)
    region = _region(case, ask, parsed.roi)
    if region is None:
        detail = f"expected a region with an area inside the view, found {parsed.roi.box!r}"
        return Turn(ask, reply, parsed, None, Problem(Failure.ROI_MALFORMED, detail))
    return Turn(ask, reply, parsed, region, None)


def _region(case: ChainCase, ask: Ask, stated: StatedBox) -> Region | None:
    if case.target is None:
        return None
    return verify_and_fix(stated.box, to_view(case.target, ask.view_box))


def _final_turn(case: ChainCase, ask: Ask, reply: Reply) -> Turn:
    parsed = parse_final(reply.text, case.params.grammar, reply.thinking)
    problem = (
        Problem(Failure.REPLY_MALFORMED, parsed.expected) if isinstance(parsed, Malformed) else None
    )
    return Turn(ask, reply, parsed, None, problem)


def _after(case: ChainCase, turn: Turn) -> Ask | Finished:
    if turn.reply.outcome in _ENDING:
        return Finished(StopReason.CALL_FAILED, _detail(turn))
    if isinstance(turn.parsed, Malformed) and turn.ask.turn < case.params.repair:
        return turn.ask.repaired(turn.reply.text, turn.parsed.expected)
    if turn.ask.stage is Stage.ZOOM:
        return _after_zoom(case, turn)
    if isinstance(turn.parsed, FinalReply):
        return Finished(StopReason.ANSWERED)
    return Finished(StopReason.NO_ANSWER, _detail(turn))


def _after_zoom(case: ChainCase, turn: Turn) -> Ask:
    ask, params = turn.ask, case.params
    round_ = ask.round + 1
    if turn.region is None:
        return make_ask(case, Stage.FINAL, round_, ask.view_box)
    view = next_view(turn.region.box, ask.view_box, case.size_px, params.min_view_px)
    stops = is_tight(turn.region, params.stop_ratio) or round_ >= params.rounds
    return make_ask(case, Stage.FINAL if stops else Stage.ZOOM, round_, view)


def _detail(turn: Turn) -> str:
    return turn.problem.detail if turn.problem else ""
