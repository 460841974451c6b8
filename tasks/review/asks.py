"""What is asked about a finished chain: a pure function of the case, as for chains (ADR 0007).

The rule that is easy to get wrong: without the image means that nothing of it is told either.  A
blind ask holds no target, no objects and no reasoning, or it would measure reading, not guessing.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cache
from importlib.resources import files
from typing import Any, assert_never

from infra.teacher.types import Turn
from tasks.asking.facts import filled, one_line, prompt_id, question_lines
from tasks.asking.repair import repair_prompt_id, repair_turn
from tasks.asking.structure import NUMBER, TEXT, TEXTS, Schema, response_format
from tasks.review.case import ReviewCase
from tasks.review.kinds import Review
from tasks.review.params import NeedsImageParams, ReviewParams


class Stage(StrEnum):
    """What a reply is for; names its template and its `Task` line."""

    JUDGE = "judge"
    REWRITE = "rewrite"
    BLIND = "blind"
    MASKED = "masked"


FORMS: Mapping[Stage, Mapping[str, Schema]] = {
    Stage.JUDGE: {"reason": TEXT, "score": NUMBER},
    Stage.REWRITE: {"reasoning": TEXTS, "answer": TEXT},
    Stage.BLIND: {"answer": TEXT},
    Stage.MASKED: {"answer": TEXT},
}
"""Properties of the object a template asks for."""


@dataclass(frozen=True, slots=True)
class ReviewAsk:
    """What to ask about a chain; `turns` as in a chain's ask."""

    stage: Stage
    prompt: str
    prompt_id: str
    turns: tuple[Turn, ...] = ()

    def repaired(self, reply: str, problem: str) -> "ReviewAsk":
        """Return the ask that sends `reply` back."""
        turns = (*self.turns, repair_turn(reply, problem))
        return replace(self, turns=turns, prompt_id=repair_prompt_id())


def stage_of(review: Review, params: ReviewParams) -> Stage:
    """Return which ask a review makes."""
    match review:
        case Review.JUDGE:
            return Stage.JUDGE
        case Review.REWRITE:
            return Stage.REWRITE
        case Review.NEEDS_IMAGE:
            masked = isinstance(params, NeedsImageParams) and params.masked
            return Stage.MASKED if masked else Stage.BLIND
    assert_never(review)


def first_ask(case: ReviewCase, stage: Stage, template: str) -> ReviewAsk:
    """Return what is asked first."""
    lines = [*_fact_lines(case, stage), f"Task: {stage.value}"]
    return ReviewAsk(stage, filled(template, lines), prompt_id(template))


def _fact_lines(case: ReviewCase, stage: Stage) -> list[str]:
    lines = question_lines(case.question, case.choices)
    if stage is Stage.JUDGE and case.known_answer is not None:
        lines.append(f"Reference answer: {one_line(case.known_answer)}")
    if stage in {Stage.JUDGE, Stage.REWRITE}:
        lines.append(f"Given answer: {one_line(case.given_answer)}")
        lines += _numbered([one_line(reasoning.text) for reasoning in case.reasonings])
    return lines


def _numbered(texts: Sequence[str]) -> list[str]:
    return [f"Reasoning {number}: {text}" for number, text in enumerate(texts, 1)]


def template_of(stage: Stage, params: ReviewParams) -> str:
    """Return the template of an ask: the recipe's own, else the one that ships."""
    return params.prompt or _shipped(stage)


@cache
def _shipped(stage: Stage) -> str:
    file = files("tasks.review").joinpath("prompts", f"{stage.value}.md")
    return file.read_text(encoding="utf-8")


def parameters_of(stage: Stage, params: ReviewParams) -> dict[str, Any]:
    """Return what the endpoint is sent besides the messages."""
    structure = response_format(f"{stage.value}_reply", FORMS[stage]) if params.structured else {}
    given = {"temperature": params.temperature, "max_tokens": params.max_tokens}
    return given | structure | dict(params.extra)


def why_skipped(case: ReviewCase, stage: Stage) -> str | None:
    """Return why nothing can be asked, null if something can."""
    if stage in {Stage.JUDGE, Stage.MASKED} and case.image_id is None:
        return "the sample names no stored image to show"
    if stage is Stage.MASKED and case.target is None:
        return "the sample states no region to cover"
    return None
