"""JSON objects with `bbox_2d` or `bbox` and a label, one per region, usually in a list and a fence.

The grounding form of Qwen-VL.  One generation of that model writes pixels of what it was shown,
the next 0..1000; the form does not tell, so the recipe's `large_boxes` decides.
"""

from sightline.thinking import split_thinking
from tasks.replies.json_objects import objects_in, said
from tasks.replies.parsed import Grammar, ParsedReply, WrittenBox
from tasks.replies.spans import MAX_FOUND, text_or_none

NAMES = ("bbox_2d", "bbox")


def parse(text: str) -> ParsedReply:
    """Return the boxes of `text`, in order, and what is said before the first of them."""
    thinking, rest = split_thinking(text)
    found = objects_in(rest, NAMES)[:MAX_FOUND]
    prose = text_or_none(rest.partition("{")[0].rstrip().removesuffix("[").replace("```json", ""))
    return ParsedReply(
        Grammar.BBOX_JSON,
        thinking=thinking,
        reasoning=(prose or thinking) if found else thinking,
        boxes=tuple(
            WrittenBox(item[name], said(item, "label"))
            for item in found
            for name in NAMES
            if name in item
        ),
    )
