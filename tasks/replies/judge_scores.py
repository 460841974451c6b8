"""What a judge gives: two numbers on the first line, a JSON score, or labelled lines at the end.

`8 9` on the first line is the form of LLaVA's reviews; where a judge solves the problem first it
names the scores last, as `Assistant 1: 10`, `Score: 0.8` or `Output: (1, 7)`.  `8/10` is read as 8:
the scale is the prompt's, and the caller knows it.
"""

import re
from typing import Any

from sightline.thinking import split_thinking
from tasks.replies.json_objects import last_object, said
from tasks.replies.parsed import Grammar, ParsedReply
from tasks.replies.spans import text_or_none

_NUMBER = r"(-?\d{1,4}(?:\.\d{1,6})?)"
_FIRST_LINE = re.compile(rf"\s*+{_NUMBER}(?:[ \t,]{{1,4}}{_NUMBER})?[ \t]*+(?:\n|\Z)")
_PAIR = re.compile(rf"\(\s?{_NUMBER}\s?,\s?{_NUMBER}\s?\)")
_OUTPUT = re.compile(
    rf"\b(?:output|scores?)(?: are|[* ]{{0,4}}:)[* ]{{0,4}}{_PAIR.pattern}", re.IGNORECASE
)
_LABELLED = re.compile(
    rf"^[ \t*-]{{0,4}}(assistant 1|assistant 2|score)[ ]?:[ *]{{0,4}}{_NUMBER}(?![\w%])",
    re.IGNORECASE | re.MULTILINE,
)
_SCORES = ("score", "scores")
_REASONS = ("reason", "reasoning", "explanation")


def parse(text: str) -> ParsedReply:
    """Return the scores that `text` gives and what it says about them."""
    thinking, rest = split_thinking(text)
    first = _FIRST_LINE.match(rest)
    if first is not None:
        said_after = text_or_none(rest[first.end() :])
        return _reply(thinking, said_after, [n for n in first.groups() if n is not None])
    found = last_object(rest, _SCORES)
    if found is not None:
        reasons = (said(found, name) for name in _REASONS)
        return _reply(thinking, next(filter(None, reasons), None), _listed(found))
    return _reply(thinking, text_or_none(rest), _labelled(rest))


def _reply(thinking: str | None, reasoning: str | None, stated: list[str]) -> ParsedReply:
    return ParsedReply(
        Grammar.JUDGE_SCORES,
        thinking=thinking,
        reasoning=reasoning or thinking,
        scores=tuple(map(float, stated)),
    )


def _listed(found: dict[str, Any]) -> list[str]:
    """Return the numbers of a JSON score; nothing if one of them is no number."""
    value = next(found[name] for name in _SCORES if name in found)
    values = value if isinstance(value, list) else [value]
    texts = [str(v).strip() for v in values if isinstance(v, int | float | str)]
    numbers = [t for t in texts if re.fullmatch(_NUMBER, t)]
    return numbers if len(numbers) == len(values) else []


def _labelled(text: str) -> list[str]:
    """Return the last score under each label, in the order of the labels."""
    pair = None
    for pair in _OUTPUT.finditer(text):  # noqa: B007 - the loop variable is the result
        pass
    if pair is not None:
        return [pair[1], pair[2]]
    last = {match[1].lower(): match[2] for match in _LABELLED.finditer(text)}
    return [last[label] for label in sorted(last)]
