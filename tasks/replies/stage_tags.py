"""`<SUMMARY>`, `<CAPTION>`, `<REASONING>`, `<CONCLUSION>`, each closed (arXiv:2411.10440).

The caption is the description and the conclusion the answer.  A conclusion that is cut off is no
answer; a summary stands in for reasoning that is left out.
"""

import re

from sightline.thinking import split_thinking
from tasks.replies.parsed import Defect, Grammar, ParsedReply
from tasks.replies.spans import Marked, last_marked

_TAGS = {
    name: (re.compile(rf"<{name}>", re.IGNORECASE), re.compile(rf"</{name}>", re.IGNORECASE))
    for name in ("summary", "caption", "reasoning", "conclusion")
}
_NOTHING = Marked(None, None)


def parse(text: str) -> ParsedReply:
    """Return the stages of `text`."""
    thinking, rest = split_thinking(text)
    stages = {name: last_marked(rest, *tags) or _NOTHING for name, tags in _TAGS.items()}
    return ParsedReply(
        Grammar.STAGE_TAGS,
        thinking=thinking,
        description=stages["caption"].inside,
        reasoning=stages["reasoning"].inside or stages["summary"].inside or thinking,
        answer=stages["conclusion"].inside,
        defects=(Defect.MISSING_END,) if any(s.is_cut for s in stages.values()) else (),
    )
