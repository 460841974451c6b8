"""JSON objects inside the prose, fences and drafts of a reply.

Of several objects the last complete one counts.  Nothing is repaired that could change a value: a
trailing comma is, a cut-off object is no object.  No library does this in bounded time: repairing
parsers close cut-off objects, which turns half an answer into a whole one.
"""

import json
import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from sightline.storable import storable

MAX_OPENINGS = 200
"""Braces tried as the start of an object; bounds the time spent on hostile text."""

MAX_REPAIR_CHARS = 65_536
"""Longest text in which trailing commas are looked for; replies are a few thousand characters."""

_STRING_OR_COMMA = re.compile(r'("(?:\\.|[^"\\])*+(?:"|\Z))|,(\s*+[}\]])', re.DOTALL)
_OBJECT_START = re.compile(r'\{\s*+"')


def last_object(text: str, wanted: Collection[str]) -> dict[str, Any] | None:
    """Return the last complete object with one of the names `wanted`; its names in lower case."""
    found = objects_in(text, wanted)
    return found[-1] if found else None


def objects_in(text: str, wanted: Collection[str]) -> list[dict[str, Any]]:
    """Return the complete objects with one of the names `wanted`, in order."""
    found = list(_objects(text, wanted))
    if not found and "," in text and len(text) <= MAX_REPAIR_CHARS:
        found = list(_objects(_without_trailing_commas(text), wanted))
    return found


def said(found: Mapping[str, Any], name: str) -> str | None:
    """Return a text or number of an object as text; anything else is not said."""
    value = found.get(name)
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, str | int | float):
        return storable(str(value)).strip() or None
    return None


def _objects(text: str, wanted: Collection[str]) -> Iterator[dict[str, Any]]:
    decoder = json.JSONDecoder(strict=False)
    start = _OBJECT_START.search(text)
    for _ in range(MAX_OPENINGS):
        if start is None:
            return
        value, end = _decode_at(decoder, text, start.start())
        named = {k.lower(): v for k, v in value.items()} if isinstance(value, dict) else {}
        matches = any(name in named for name in wanted)
        if matches:
            yield named
        start = _OBJECT_START.search(text, end if matches else start.start() + 1)


def _decode_at(decoder: json.JSONDecoder, text: str, at: int) -> tuple[Any, int]:
    try:
        return decoder.raw_decode(text, at)
    except (ValueError, RecursionError):  # ValueError: no JSON, or an integer of 5,000 digits
        return None, at


def _without_trailing_commas(text: str) -> str:
    return _STRING_OR_COMMA.sub(lambda match: match[1] or match[2], text)
