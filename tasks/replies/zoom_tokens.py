"""Boxes and zooms as special tokens inside the thinking of an interleaved reply.

`<|object_ref_start|>mug<|object_ref_end|><|box_start|>(210,300),(480,910)<|box_end|>` and
`<|image_zoomin|>` (arXiv:2511.17731; the box tokens are those of Qwen-VL).  Boxes stand in the
thinking on purpose, so here it is searched too; the answer stands in its own tags after it.
"""

import re
from itertools import islice

from sightline.thinking import split_thinking
from tasks.replies import think_answer
from tasks.replies.parsed import Grammar, ParsedReply, PartKind, TracePart, WrittenBox
from tasks.replies.spans import MAX_FOUND, text_or_none, written_box

_BOX = re.compile(
    r"(?:<\|object_ref_start\|>([^<]{1,200}+)<\|object_ref_end\|>\s{0,8})?"
    r"<\|box_start\|>([^<]{1,200}+)<\|box_end\|>"
)
_TOKEN = re.compile(r"<\|box_start\|>([^<]{1,200}+)<\|box_end\|>|<\|image_zoomin\|>")
_MARKUP = re.compile(r"</?(?:think(?:ing)?|answer)>|<\|object_ref_(?:start|end)\|>", re.IGNORECASE)


def parse(text: str) -> ParsedReply:
    """Return the boxes, the parts between them and the answer of `text`."""
    tagged = think_answer.parse(text)
    thinking, rest = split_thinking(text)
    steps = thinking if thinking is not None else rest
    return ParsedReply(
        Grammar.ZOOM_TOKENS,
        thinking=thinking,
        reasoning=tagged.reasoning,
        answer=tagged.answer,
        boxes=tuple(_boxes(text)),
        parts=tuple(_parts(steps)) if _TOKEN.search(steps) else (),
        defects=tagged.defects,
    )


def _boxes(text: str) -> list[WrittenBox]:
    found = islice(_BOX.finditer(text), MAX_FOUND)
    return [written_box(match[2], text_or_none(match[1] or "")) for match in found]


def _parts(text: str) -> list[TracePart]:
    parts, at = [], 0
    for token in islice(_TOKEN.finditer(text), MAX_FOUND):
        parts += _thought(text[at : token.start()])
        if token[1] is None:
            parts.append(TracePart(PartKind.ZOOM, ""))
        at = token.end()
    return parts + _thought(text[at:])


def _thought(text: str) -> list[TracePart]:
    said = text_or_none(_MARKUP.sub("", text))
    return [TracePart(PartKind.THOUGHT, said)] if said else []
