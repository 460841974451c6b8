"""Finding the marked pieces of a text, each in one pass over it.

The rule all grammars share: of several the last one counts, because a reply drafts before it
decides, and what is opened and not closed is cut off, not said.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from tasks.replies.parsed import Defect, Grammar, ParsedReply, WrittenBox

MAX_FOUND = 200
"""Most boxes or parts taken from one reply; more are a loop."""

_NUMBER = re.compile(r"-?\d{1,9}(?:\.\d{1,9})?")
_SIDES = 4


@dataclass(frozen=True, slots=True)
class Marked:
    """The last marked piece of a text.

    Attributes:
        inside: the piece without its marks; null if it is cut off or empty.
        before: what stands before its opening mark; null if that is nothing.
        is_cut: whether it is opened and never closed.
    """

    inside: str | None
    before: str | None
    is_cut: bool = False


def last_marked(text: str, opening: re.Pattern[str], closing: re.Pattern[str]) -> Marked | None:
    """Return the piece after the last `opening`, up to the next `closing`; null without one."""
    start = last_match(opening, text)
    if start is None:
        return None
    before = text_or_none(text[: start.start()])
    end = closing.search(text, start.end())
    if end is None:
        return Marked(None, before, is_cut=True)
    return Marked(text_or_none(text[start.end() : end.start()]), before)


def marked_answer(grammar: Grammar, thinking: str | None, marked: Marked | None) -> ParsedReply:
    """Return the reply whose answer is the marked piece; what stands before it is its reasoning."""
    if marked is None:
        return ParsedReply(grammar, thinking)
    return ParsedReply(
        grammar,
        thinking=thinking,
        reasoning=marked.before or thinking,
        answer=marked.inside,
        defects=(Defect.MISSING_END,) if marked.is_cut else (),
    )


def last_match(pattern: re.Pattern[str], text: str) -> re.Match[str] | None:
    """Return the last match of `pattern`."""
    last = None
    for last in pattern.finditer(text):  # noqa: B007 - the loop variable is the result
        pass
    return last


def blocks(text: str, header: re.Pattern[str]) -> Iterator[tuple[re.Match[str], str]]:
    """Yield each header and the text up to the next one, stripped."""
    found: re.Match[str] | None = None
    for following in header.finditer(text):
        if found is not None:
            yield found, text[found.end() : following.start()].strip()
        found = following
    if found is not None:
        yield found, text[found.end() :].strip()


def text_or_none(text: str) -> str | None:
    """Return `text` stripped, null if nothing is left."""
    return text.strip() or None


def written_box(text: str, label: str | None = None) -> WrittenBox:
    """Return the four numbers in `text`, however they are bracketed, or the text in their place."""
    numbers = _NUMBER.findall(text)
    is_box = len(numbers) == _SIDES
    return WrittenBox(tuple(map(float, numbers)) if is_box else text.strip(), label)
