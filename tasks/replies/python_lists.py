"""Lists of texts written as Python literals, read without running anything.

`ast.literal_eval` on a whole foreign text may exhaust memory or the parser's stack, so the shape
is checked by a linear pattern first and only single string literals are evaluated.
"""

import ast
import re
from itertools import islice

from sightline.storable import storable

MAX_LISTS = 50
"""Most lists read from one text."""

MAX_CHARS = 16_384
"""Longest text that is looked through; an action has a few hundred characters."""

_STRING = r"""(?:'(?:\\.|[^'\\\n])*+'|"(?:\\.|[^"\\\n])*+")"""
_LIST = re.compile(rf"\[\s*+{_STRING}(?:\s*+,\s*+{_STRING})*+\s*+,?\s*+\]")
_ITEM = re.compile(_STRING)


def text_list(text: str) -> tuple[str, ...] | None:
    """Return the texts of a list that is all of `text`, null if it is something else."""
    whole = _LIST.fullmatch(text.strip())
    return _items(whole[0]) if whole else None


def text_lists_in(text: str) -> tuple[tuple[str, ...], ...]:
    """Return the lists of texts inside `text`, in order; at most `MAX_LISTS`."""
    return tuple(_items(match[0]) for match in islice(_LIST.finditer(text[:MAX_CHARS]), MAX_LISTS))


def _items(literal: str) -> tuple[str, ...]:
    return tuple(_evaluated(item[0]) for item in _ITEM.finditer(literal))


def _evaluated(literal: str) -> str:
    """Return the text of one string literal; one with a broken escape stands as it is written."""
    try:
        return storable(ast.literal_eval(literal))
    except (ValueError, SyntaxError):
        return literal[1:-1]
