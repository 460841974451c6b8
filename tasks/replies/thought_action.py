"""`THOUGHT n:`, `ACTION n:` with Python, then `ANSWER: ... FINAL ANSWER: x. TERMINATE`.

The visual edits of arXiv:2501.05452.  Actions are kept as text and never run; of their calls only
literal lists of texts are read, which name what was focused on.  Some authors store the turns as
the `repr` of a Python list, which is read as well.
"""

import re

from tasks.replies.parsed import Grammar, ParsedReply, PartKind, TracePart
from tasks.replies.python_lists import text_list, text_lists_in
from tasks.replies.spans import MAX_FOUND, blocks, last_match, text_or_none

_HEADER = re.compile(r"^[ \t*]{0,4}(THOUGHT|ACTION|ANSWER)[ ]?(\d{0,4})[ ]?:\**", re.MULTILINE)
_FINAL = re.compile(r"\bFINAL ANSWER[ ]?:[ \t*]{0,4}(\S[^\n]*)")
_END = re.compile(r"\bTERMINATE\b.*", re.DOTALL)
_KINDS = {
    "THOUGHT": PartKind.THOUGHT,
    "ACTION": PartKind.ACTION,
    "ANSWER": PartKind.ANSWER,
}


def parse(text: str) -> ParsedReply:
    """Return the thoughts, actions and final answer of `text`."""
    turns = text_list(text)
    said = text if turns is None else "\n".join(turns)
    parts = tuple(_part(header, block) for header, block in blocks(said, _HEADER))[:MAX_FOUND]
    final = last_match(_FINAL, said)
    return ParsedReply(
        Grammar.THOUGHT_ACTION,
        reasoning="\n".join(p.text for p in parts if p.kind is PartKind.THOUGHT) or None,
        answer=_short(final[1]) if final else None,
        parts=parts,
    )


def _part(header: re.Match[str], block: str) -> TracePart:
    kind = _KINDS[header[1]]
    values = text_lists_in(block) if kind is PartKind.ACTION else ()
    return TracePart(kind, block, int(header[2]) if header[2] else None, values)


def _short(text: str) -> str | None:
    """Return an answer without the end mark and the full stops around it."""
    return text_or_none(_END.sub("", text.strip()).rstrip("*. "))
