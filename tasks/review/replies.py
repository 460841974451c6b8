"""Replies to second asks as typed values; total, like every parser."""

from dataclasses import dataclass
from typing import assert_never

from sightline.storable import storable
from sightline.thinking import join_thinking, split_thinking
from tasks.replies import judge_scores
from tasks.replies.json_objects import last_object, said
from tasks.review.asks import Stage


@dataclass(frozen=True, slots=True)
class Score:
    """What a judge gives, in [0, 1]."""

    score: float
    reason: str | None


@dataclass(frozen=True, slots=True)
class Reworded:
    """What a rewriter wrote: one text per numbered reasoning, and the answer it repeats."""

    texts: tuple[str, ...]
    answer: str | None


@dataclass(frozen=True, slots=True)
class Guess:
    """What was answered without the image."""

    answer: str


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A reply that does not follow the form its prompt asked for."""

    expected: str


ReviewReply = Score | Reworded | Guess | Unreadable


def parse_reply(stage: Stage, text: str, thinking: str | None = None) -> ReviewReply:
    """Return what a reply of `stage` says; a judge's reason may be `thinking` that came apart."""
    match stage:
        case Stage.JUDGE:
            return _score(join_thinking(thinking, text))
        case Stage.REWRITE:
            return _reworded(text)
        case Stage.BLIND | Stage.MASKED:
            return _guess(text)
    assert_never(stage)


def _score(text: str) -> Score | Unreadable:
    read = judge_scores.parse(text)
    if len(read.scores) != 1:
        return Unreadable(f"expected a JSON object with one score, found {len(read.scores)} scores")
    score = read.scores[0]
    if not 0 <= score <= 1:
        return Unreadable(f"expected a score from 0 to 1, found {score:g}")
    return Score(score, read.reasoning)


def _reworded(text: str) -> Reworded | Unreadable:
    found = last_object(split_thinking(text)[1], ("reasoning",))
    value = found.get("reasoning") if found else None
    texts = [value] if isinstance(value, str) else value
    if not isinstance(texts, list) or not all(isinstance(t, str) and t.strip() for t in texts):
        return Unreadable("expected a JSON object with a list of texts called reasoning")
    return Reworded(tuple(storable(t).strip() for t in texts), said(found or {}, "answer"))


def _guess(text: str) -> Guess | Unreadable:
    found = last_object(split_thinking(text)[1], ("answer",))
    answer = said(found, "answer") if found else None
    return Unreadable("expected a JSON object with an answer") if answer is None else Guess(answer)
