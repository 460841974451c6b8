"""Replies of teachers as typed values; every function is total, whatever text comes in.

Teachers wrap JSON in fences and prose, leave trailing commas, think aloud in tags and forget to
close them.  The rule that is easy to get wrong: thinking is taken off *first*, because it often
holds drafts of the very object that is asked for; of several objects the last complete one counts.
"""

import re
from dataclasses import dataclass

from sightline.storable import storable
from sightline.thinking import split_thinking
from tasks.replies.json_objects import last_object, said
from tasks.replies.stated_boxes import BoxProblem, Frame, StatedBox, read_box

FIELDS = frozenset({"description", "roi", "reasoning", "answer"})

_OPEN_ANSWER = re.compile(r"<answer>", re.IGNORECASE)
_CLOSE_ANSWER = re.compile(r"</answer>", re.IGNORECASE)
_ANSWER_LINE = re.compile(r"^[ \t]*#{1,6} ?answer:[ \t]*(\S[^\n]*)$", re.IGNORECASE | re.MULTILINE)


@dataclass(frozen=True, slots=True)
class ZoomReply:
    """What a zoom round said; `roi` is a problem if no region can be read."""

    thinking: str | None
    description: str | None
    reasoning: str | None
    roi: StatedBox | BoxProblem


@dataclass(frozen=True, slots=True)
class FinalReply:
    """What a final or single round said; both texts are there."""

    thinking: str | None
    description: str | None
    reasoning: str
    answer: str


@dataclass(frozen=True, slots=True)
class Malformed:
    """A reply that does not follow the grammar its prompt asked for."""

    thinking: str | None
    expected: str


def parse_zoom(text: str, frame: Frame) -> ZoomReply | Malformed:
    """Return the description, region and reasoning of a zoom reply."""
    thinking, rest = _split(text)
    found = last_object(rest, FIELDS)
    if found is None or not found.keys() & {"roi", "description", "reasoning"}:
        return Malformed(thinking, "expected a JSON object with description, roi and reasoning")
    roi = read_box(found["roi"], frame) if "roi" in found else BoxProblem("no roi is stated")
    return ZoomReply(thinking, said(found, "description"), said(found, "reasoning"), roi)


def parse_final(text: str) -> FinalReply | Malformed:
    """Return the reasoning and answer of a final or single reply.

    Accepted forms: a JSON object, `<think>`/`<answer>` tags, a last line `### Answer: ...`.
    """
    thinking, rest = _split(text)
    found = last_object(rest, FIELDS)
    if found is not None and "answer" in found:
        reasoning, answer = said(found, "reasoning"), said(found, "answer")
        description = said(found, "description")
    else:
        description = None
        reasoning, answer = _tagged(rest) or _lined(rest) or (None, None)
        reasoning = reasoning or thinking
    if reasoning is None or answer is None:
        missing = "answer" if answer is None else "reasoning"
        return Malformed(thinking, f"expected reasoning and answer, found no {missing}")
    return FinalReply(thinking, description, reasoning, answer)


def _split(text: str) -> tuple[str | None, str]:
    thinking, rest = split_thinking(text)
    return None if thinking is None else _or_none(thinking), rest


def _tagged(text: str) -> tuple[str | None, str | None] | None:
    opening = _last_match(_OPEN_ANSWER, text)
    closing = _CLOSE_ANSWER.search(text, opening.end()) if opening else None
    if opening is None or closing is None:
        return None
    return _or_none(text[: opening.start()]), _or_none(text[opening.end() : closing.start()])


def _lined(text: str) -> tuple[str | None, str | None] | None:
    line = _last_match(_ANSWER_LINE, text)
    return (_or_none(text[: line.start()]), _or_none(line[1])) if line else None


def _last_match(pattern: re.Pattern[str], text: str) -> re.Match[str] | None:
    last = None
    for last in pattern.finditer(text):  # noqa: B007 - the loop variable is the result
        pass
    return last


def _or_none(text: str) -> str | None:
    return storable(text).strip() or None
