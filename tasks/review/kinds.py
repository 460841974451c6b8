"""The kinds of second asks: each is a step of its own, off unless a recipe names it."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from sightline.roles import Role


class Review(StrEnum):
    """A kind of second ask; names its step, its parts and its key in a recipe."""

    JUDGE = "judge"
    REWRITE = "rewrite"
    NEEDS_IMAGE = "needs_image"

    @property
    def reading_step(self) -> str:
        """Return the step that reads its replies."""
        return f"read_{self.value}"


ROLES: Final[Mapping[Review, Role]] = {
    Review.JUDGE: Role.JUDGE,
    Review.REWRITE: Role.REWRITER,
    Review.NEEDS_IMAGE: Role.BLIND,
}
"""The part that the model which is asked plays."""
