r"""`<|begin_of_box|>...<|end_of_box|>`, and `\boxed{...}` of mathematical replies.

Braces inside `\boxed{}` nest, so its end is counted, not searched; a box whose braces do not close
within `MAX_BOXED` characters is cut off.
"""

import re

from sightline.thinking import split_thinking
from tasks.replies.parsed import Grammar, ParsedReply
from tasks.replies.spans import Marked, last_marked, last_match, marked_answer, text_or_none

MAX_BOXED = 2000
"""Longest content of `\\boxed{}`; bounds the time spent on counting braces."""

_OPEN = re.compile(r"<\|begin_of_box\|>")
_CLOSE = re.compile(r"<\|end_of_box\|>")
_LATEX = re.compile(r"\\boxed\s?\{")
_BRACE = re.compile(r"[{}]")


def parse(text: str) -> ParsedReply:
    """Return the thinking, reasoning and boxed answer of `text`."""
    thinking, rest = split_thinking(text)
    return marked_answer(Grammar.BOXED, thinking, last_marked(rest, _OPEN, _CLOSE) or _latex(rest))


def _latex(text: str) -> Marked | None:
    start = last_match(_LATEX, text)
    if start is None:
        return None
    before = text_or_none(text[: start.start()])
    depth = 1
    for brace in _BRACE.finditer(text, start.end(), start.end() + MAX_BOXED):
        depth += 1 if brace[0] == "{" else -1
        if depth == 0:
            return Marked(text_or_none(text[start.end() : brace.start()]), before)
    return Marked(None, before, is_cut=True)
