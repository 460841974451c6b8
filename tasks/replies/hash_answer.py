"""Prose with a last line `### Answer: <short>` (arXiv:2410.16198).

The line counts wherever it stands, since some teachers add a remark below it; the reasoning is
what stands before it, and the thinking if nothing does.
"""

import re

from sightline.thinking import split_thinking
from tasks.replies.parsed import Grammar, ParsedReply
from tasks.replies.spans import last_match, text_or_none

_LINE = re.compile(r"^[ \t]*#{1,6} ?answer:[ \t]*(\S[^\n]*)$", re.IGNORECASE | re.MULTILINE)


def parse(text: str) -> ParsedReply:
    """Return the prose of `text` and the answer on its last answer line."""
    thinking, rest = split_thinking(text)
    line = last_match(_LINE, rest)
    if line is None:
        return ParsedReply(Grammar.HASH_ANSWER, thinking)
    return ParsedReply(
        Grammar.HASH_ANSWER,
        thinking=thinking,
        reasoning=text_or_none(rest[: line.start()]) or thinking,
        answer=text_or_none(line[1]),
    )
