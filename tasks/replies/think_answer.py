"""`<think>...</think><answer>...</answer>`, in any letter case (arXiv:2501.12948 and its heirs).

Without thinking tags, what stands before the answer is the reasoning.  Where the thinking never
ends, nothing was said, even if an answer tag follows: the thinking may be drafting it.
"""

import re

from sightline.thinking import split_thinking
from tasks.replies.parsed import Grammar, ParsedReply
from tasks.replies.spans import last_marked, marked_answer

_OPEN = re.compile(r"<answer>", re.IGNORECASE)
_CLOSE = re.compile(r"</answer>", re.IGNORECASE)


def parse(text: str) -> ParsedReply:
    """Return the thinking, reasoning and answer of `text`."""
    thinking, rest = split_thinking(text)
    return marked_answer(Grammar.THINK_ANSWER, thinking, last_marked(rest, _OPEN, _CLOSE))
