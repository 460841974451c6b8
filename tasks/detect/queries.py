"""What is looked for, checked and brought to the one form that ids and prompts use."""

from collections.abc import Iterable, Sequence
from typing import Final

from sightline.errors import RecipeError

SEPARATORS: Final = ".?"
"""Signs that end a phrase for Grounding DINO (`SPECIAL_TOKENS` of its text encoder)."""


def checked_queries(queries: Iterable[str]) -> tuple[str, ...]:
    """Return the queries in their order: lower case, single spaces, each once.

    Raises:
        RecipeError: there is none, or one is empty or holds a sign that ends a phrase.
    """
    plain = [" ".join(query.lower().split()) for query in queries]
    bad = [query for query in plain if not query or set(query) & set(SEPARATORS)]
    if bad or not plain:
        msg = (
            "detect.queries: expected at least one phrase like 'red mug', without "
            f"{' or '.join(SEPARATORS)}; found {bad or plain}"
        )
        raise RecipeError(msg)
    return tuple(dict.fromkeys(plain))


def joined(queries: Sequence[str]) -> str:
    """Return the text prompt of Grounding DINO: `a cat. a dog.`."""
    return ". ".join(queries) + "."


def character_spans(queries: Sequence[str]) -> list[tuple[int, int]]:
    """Return where each query starts and ends in `joined(queries)`."""
    spans, start = [], 0
    for query in queries:
        spans.append((start, start + len(query)))
        start += len(query) + len(". ")
    return spans


def grouped(queries: Sequence[str], tokens: Sequence[int], most: int) -> list[list[int]]:
    """Return the numbers of the queries in groups whose tokens fit into one prompt.

    Args:
        queries: in words.
        tokens: of each query with the sign that ends it.
        most: tokens of one prompt.

    Raises:
        RecipeError: a query alone has too many.
    """
    groups: list[list[int]] = []
    used = most + 1
    for number, count in enumerate(tokens):
        if count > most:
            msg = f"detect.queries: {queries[number]!r} has {count} tokens, the most is {most}"
            raise RecipeError(msg)
        if used + count > most:
            groups.append([])
            used = 0
        groups[-1].append(number)
        used += count
    return groups
