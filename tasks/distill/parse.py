"""Replies of teachers as typed values; every function is total, whatever text comes in.

Teachers wrap JSON in fences and prose, leave trailing commas, think aloud in tags and forget to
close them.  The rule that is easy to get wrong: thinking is taken off *first*, because it often
holds drafts of the very object that is asked for; of several objects the last complete one counts.
Nothing is repaired that could change a value: a cut-off object is no object.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from tasks.distill.stated_boxes import BoxProblem, Frame, StatedBox, read_box

FIELDS = frozenset({"description", "roi", "reasoning", "answer"})

MAX_OPENINGS = 200
"""Braces tried as the start of an object; bounds the time spent on hostile text."""

MAX_REPAIR_CHARS = 65_536
"""Longest text in which trailing commas are looked for; replies are a few thousand characters."""

_MAX_CITE_NAME = 60
_MAX_CITES = 200
_DEPTH_8BIT = 255.0

_OPEN_THINK = re.compile(r"<think(?:ing)?>|◁think▷", re.IGNORECASE)
_CLOSE_THINK = re.compile(r"</think(?:ing)?>|◁/think▷", re.IGNORECASE)
_OPEN_ANSWER = re.compile(r"<answer>", re.IGNORECASE)
_CLOSE_ANSWER = re.compile(r"</answer>", re.IGNORECASE)
_ANSWER_LINE = re.compile(r"^[ \t]*#{1,6} ?answer:[ \t]*(\S[^\n]*)$", re.IGNORECASE | re.MULTILINE)
_STRING_OR_COMMA = re.compile(r'("(?:\\.|[^"\\])*+(?:"|\Z))|,(\s*+[}\]])', re.DOTALL)
_OBJECT_START = re.compile(r'\{\s*+"')
_CITE = re.compile(
    r"\(\s*+(\[[\d\s.+-]{1,80},[\d\s.,+-]{1,80},[\d\s.+-]{1,80}\])(?:\s*+,\s*+(?:depth\s*+[:=]?\s*+)?(-?\d{1,9}(?:\.\d{1,9})?))?\s*+\)",
    re.IGNORECASE,
)
_NAME_BEFORE = re.compile(r"[^\W\d_][\w'-]*(?: [\w'-]+){0,2} ?$")


@dataclass(frozen=True, slots=True)
class Cite:
    """An object cited as `name ([x0, y0, x1, y1], depth 0.83)`.

    Attributes:
        name: words before the bracket: a given label, else at most three.
        box: what stands in the bracket.
        depth: 1 nearest; None if none is cited.
    """

    name: str
    box: StatedBox | BoxProblem
    depth: float | None


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
    thinking, rest = split_thinking(text)
    found = last_object(rest)
    if found is None or not found.keys() & {"roi", "description", "reasoning"}:
        return Malformed(thinking, "expected a JSON object with description, roi and reasoning")
    roi = read_box(found["roi"], frame) if "roi" in found else BoxProblem("no roi is stated")
    return ZoomReply(thinking, _said(found, "description"), _said(found, "reasoning"), roi)


def parse_final(text: str) -> FinalReply | Malformed:
    """Return the reasoning and answer of a final or single reply.

    Accepted forms: a JSON object, `<think>`/`<answer>` tags, a last line `### Answer: ...`.
    """
    thinking, rest = split_thinking(text)
    found = last_object(rest)
    if found is not None and "answer" in found:
        reasoning, answer = _said(found, "reasoning"), _said(found, "answer")
        description = _said(found, "description")
    else:
        description = None
        reasoning, answer = _tagged(rest) or _lined(rest) or (None, None)
        reasoning = reasoning or thinking
    if reasoning is None or answer is None:
        missing = "answer" if answer is None else "reasoning"
        return Malformed(thinking, f"expected reasoning and answer, found no {missing}")
    return FinalReply(thinking, description, reasoning, answer)


def split_thinking(text: str) -> tuple[str | None, str]:
    """Return (thinking, the rest) of a reply.

    A missing opening tag means that the text began inside the thinking; a missing end means that
    all that follows is thinking, and nothing was said.
    """
    closings = list(_CLOSE_THINK.finditer(text))
    opening = _OPEN_THINK.search(text)
    if closings:
        start = opening.end() if opening and opening.end() <= closings[-1].start() else 0
        before = text[: opening.start()] if opening and start else ""
        after = text[closings[-1].end() :]
        again = _OPEN_THINK.search(after)
        said = before + (after[: again.start()] if again else after)
        return _or_none(text[start : closings[-1].start()]), said
    if opening:
        return _or_none(text[opening.end() :]), text[: opening.start()]
    return None, text


def last_object(text: str) -> dict[str, Any] | None:
    """Return the last complete JSON object with one of `FIELDS`, its names in lower case."""
    found = _last_of(_objects(text))
    if found is None and "," in text and len(text) <= MAX_REPAIR_CHARS:
        found = _last_of(_objects(_without_trailing_commas(text)))
    return found


def _last_of(objects: Iterator[dict[str, Any]]) -> dict[str, Any] | None:
    last = None
    for last in objects:  # noqa: B007 - the loop variable is the result
        pass
    return last


def _objects(text: str) -> Iterator[dict[str, Any]]:
    decoder = json.JSONDecoder(strict=False)
    start = _OBJECT_START.search(text)
    for _ in range(MAX_OPENINGS):
        if start is None:
            return
        value, end = _decode_at(decoder, text, start.start())
        named = {k.lower(): v for k, v in value.items()} if isinstance(value, dict) else {}
        wanted = bool(named.keys() & FIELDS)
        if wanted:
            yield named
        start = _OBJECT_START.search(text, end if wanted else start.start() + 1)


def _decode_at(decoder: json.JSONDecoder, text: str, at: int) -> tuple[Any, int]:
    try:
        return decoder.raw_decode(text, at)
    except (ValueError, RecursionError):  # ValueError: no JSON, or an integer of 5,000 digits
        return None, at


def _without_trailing_commas(text: str) -> str:
    return _STRING_OR_COMMA.sub(lambda match: match[1] or match[2], text)


def _said(found: Mapping[str, Any], name: str) -> str | None:
    """Return a text or number as text; anything else is not said."""
    value = found.get(name)
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, str | int | float):
        return _or_none(str(value))
    return None


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


def storable(text: str) -> str:
    """Return `text` with lone surrogates, which no UTF-8 column can hold, as U+FFFD."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _or_none(text: str) -> str | None:
    return storable(text).strip() or None


def cites_in(text: str, frame: Frame, names: Sequence[str] = ()) -> list[Cite]:
    """Return the objects a text cites, in order; at most 200.

    Args:
        text: a description or rationale.
        frame: the view it is about.
        names: labels it was given; one of them before a bracket is the name as a whole.
    """
    return [_cite(match, text, frame, names) for match in islice(_CITE.finditer(text), _MAX_CITES)]


def _cite(match: re.Match[str], text: str, frame: Frame, names: Sequence[str]) -> Cite:
    before = text[max(0, match.start() - _MAX_CITE_NAME) : match.start()]
    numbers = [part.strip() for part in match[1].strip("[]").split(",")]
    label = _name_at_end(before, names)
    depth = float(match[2]) if match[2] else None
    if depth is not None and not 0 <= depth <= _DEPTH_8BIT:
        return Cite(label, BoxProblem(f"expected a depth in 0..1 or 0..255, found {depth}"), None)
    # arXiv:2511.17731 prints depth as 0..1 or 0..255
    shade = depth / _DEPTH_8BIT if depth is not None and depth > 1 else depth
    return Cite(label, read_box(numbers, frame), shade)


def _name_at_end(text: str, names: Sequence[str]) -> str:
    ending = text.rstrip().casefold()
    given = [name for name in names if name and ending.endswith(name.casefold())]
    words = _NAME_BEFORE.search(text)
    return max(given, key=len) if given else storable(words[0]).strip() if words else ""
