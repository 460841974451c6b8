"""Real text: every string of some length in the JSON lines of a folder, in a fixed order.

Model outputs, solutions, rationales and questions with the near-duplicates they came with: several
models on one question, runs of one model, templates of benchmark authors.  Prompts are left out: a
prompt is one text repeated, which says nothing about rows.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

MIN_WORDS: Final = 8
PROMPTS: Final = frozenset({"prompt", "query", "licence", "options", "note", "source"})


def real(*places: Path) -> Iterator[str]:
    """Yield the texts of all `*.jsonl` below `places`, which may be files too."""
    for place in places:
        files = [place] if place.is_file() else sorted(place.rglob("*.jsonl"))
        for file in files:
            if file.name != "MANIFEST.jsonl":
                with file.open(encoding="utf-8") as lines:
                    for line in lines:
                        yield from _texts(json.loads(line))


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        if len(value.split()) >= MIN_WORDS:
            yield value
    elif isinstance(value, dict):
        for name in sorted(value):
            if name not in PROMPTS:
                yield from _texts(value[name])
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item)
