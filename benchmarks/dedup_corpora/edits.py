"""Edits that make a near-duplicate of a text, as re-asked teachers and scrapers make them.

Most change words, so that the distance grows with their number; layout edits change case,
spacing and punctuation only, which no text key should see.
"""

from collections.abc import Sequence
from random import Random

FILLERS = ("clearly", "also", "again", "here", "then", "quite", "indeed", "roughly")


def edited(text: str, rng: Random, edits: int, words: Sequence[str] = FILLERS) -> str:
    """Return `text` after `edits` word edits: a word replaced, put in, left out, or two swapped."""
    parts = text.split(" ")
    for _ in range(edits):
        place = rng.randrange(len(parts))
        kind = rng.randrange(4)
        if kind == 0:
            parts[place] = rng.choice(words)
        elif kind == 1:
            parts.insert(place, rng.choice(words))
        elif kind == 2 and len(parts) > 1:  # noqa: PLR2004 - the third kind of edit
            del parts[place]
        elif place + 1 < len(parts):
            parts[place], parts[place + 1] = parts[place + 1], parts[place]
    return " ".join(parts)


def laid_out(text: str, rng: Random) -> str:
    """Return `text` with other white space, capitals or closing punctuation: the same words."""
    kind = rng.randrange(4)
    if kind == 0:
        return text.replace(". ", ".\n")
    if kind == 1:
        return text.upper()
    if kind == 2:  # noqa: PLR2004 - the third kind of layout
        return f"  {text}  "
    return text.rstrip(".") + "!"
