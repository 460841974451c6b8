"""A JSON object with description, roi, reasoning and answer: one round of a zoom chain.

The form of arXiv:2511.17731 and of this project's own prompts.  Names are read in any letter case;
the last complete object counts, and drafts inside the thinking never do.
"""

from sightline.thinking import split_thinking
from tasks.replies.json_objects import last_object, said
from tasks.replies.parsed import Grammar, ParsedReply, WrittenBox

FIELDS = frozenset({"description", "roi", "reasoning", "answer"})


def parse(text: str) -> ParsedReply:
    """Return the fields of the last object in `text`."""
    thinking, rest = split_thinking(text)
    found = last_object(rest, FIELDS) or {}
    return ParsedReply(
        Grammar.ROUND_JSON,
        thinking=thinking,
        description=said(found, "description"),
        reasoning=said(found, "reasoning"),
        answer=said(found, "answer"),
        boxes=(WrittenBox(found["roi"]),) if "roi" in found else (),
    )
