"""Prose: what follows the thinking, if there is any, is the answer.

The form of descriptions, and of models that mark their thinking (`◁think▷...◁/think▷`,
`<think>...</think>`) and nothing else.  Thinking that never ends leaves no answer.
"""

from sightline.thinking import split_thinking
from tasks.replies.parsed import Grammar, ParsedReply
from tasks.replies.spans import text_or_none


def parse(text: str) -> ParsedReply:
    """Return the thinking of `text` and the rest as its answer."""
    thinking, rest = split_thinking(text)
    return ParsedReply(
        Grammar.FREE_TEXT, thinking=thinking, reasoning=thinking, answer=text_or_none(rest)
    )
