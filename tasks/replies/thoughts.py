"""`THOUGHT <n>:` blocks with images between them: `<image_start>[reasoning_image_1]<image_end>`.

The interleaved traces of arXiv:2507.16746.  Images are named where they stand, once per mention;
whether each name has exactly one picture is checked by those who hold the pictures.
"""

import re
from collections.abc import Iterator
from itertools import islice

from tasks.replies.parsed import Grammar, ParsedReply, PartKind, TracePart
from tasks.replies.spans import MAX_FOUND, blocks, last_match, text_or_none

_HEADER = re.compile(r"^[ \t*]{0,4}THOUGHT[ ]?(\d{1,4})[ ]?:\**", re.MULTILINE)
_IMAGE = re.compile(r"<image_start>\s{0,4}\[([^\]<]{1,100}+)\]\s{0,4}<image_end>")
_FINAL = re.compile(
    r"^[ \t*#]{0,8}final answer[ ]?:[ \t*]{0,4}(\S[^\n]*)$", re.IGNORECASE | re.MULTILINE
)


def parse(text: str) -> ParsedReply:
    """Return the thoughts and images of `text` in order, and its final answer if it states one."""
    final = last_match(_FINAL, text)
    trace = text[: final.start()] if final else text
    parts = tuple(islice(_parts(trace), MAX_FOUND))
    thoughts = [part.text for part in parts if part.kind is PartKind.THOUGHT]
    return ParsedReply(
        Grammar.THOUGHTS,
        reasoning="\n".join(thoughts) or None,
        answer=text_or_none(final[1].rstrip("* ")) if final and thoughts else None,
        parts=parts,
    )


def _parts(text: str) -> Iterator[TracePart]:
    for header, block in blocks(text, _HEADER):
        yield from _elements(block, int(header[1]))


def _elements(block: str, number: int) -> Iterator[TracePart]:
    at = 0
    for image in _IMAGE.finditer(block):
        if said := text_or_none(block[at : image.start()]):
            yield TracePart(PartKind.THOUGHT, said, number)
        yield TracePart(PartKind.IMAGE, image[1].strip(), number)
        at = image.end()
    if said := text_or_none(block[at:]):
        yield TracePart(PartKind.THOUGHT, said, number)
