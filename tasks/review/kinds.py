"""The kinds of second asks: each is a step of its own, off unless a recipe names it."""

from typing import Final, Literal

ReviewKind = Literal["judge", "rewrite", "needs_image"]

REVIEWS: Final[tuple[ReviewKind, ...]] = ("judge", "rewrite", "needs_image")
"""Names of the steps, of their parts and of their keys in a recipe."""
