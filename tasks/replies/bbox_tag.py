"""A region in `<bbox>...</bbox>` beside prose, with the answer in its own tags if there is one.

The numbers may stand in brackets or bare.  What is not four numbers is kept as written, so that
whoever reads the box can say what was found instead of one.
"""

import re
from itertools import islice

from sightline.thinking import split_thinking
from tasks.replies import think_answer
from tasks.replies.parsed import Grammar, ParsedReply
from tasks.replies.spans import MAX_FOUND, text_or_none, written_box

_BOX = re.compile(r"<bbox>([^<]{0,200}+)</bbox>", re.IGNORECASE)


def parse(text: str) -> ParsedReply:
    """Return the boxes of `text`, outside the thinking, its prose and its answer."""
    thinking, rest = split_thinking(text)
    tagged = think_answer.parse(rest)
    prose = tagged.reasoning if tagged.answered else text_or_none(rest)
    boxes = tuple(written_box(match[1]) for match in islice(_BOX.finditer(rest), MAX_FOUND))
    return ParsedReply(
        Grammar.BBOX_TAG,
        thinking=thinking,
        reasoning=(text_or_none(_BOX.sub("", prose)) if prose else None) or thinking,
        answer=tagged.answer,
        boxes=boxes,
        defects=tagged.defects,
    )
