"""What a recipe says of second asks; everything here is part of the recipe's identity.

Fields in `READING` change only how replies are read: with another threshold nothing is asked again.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, ClassVar

from sightline.errors import RecipeError
from tasks.asking.facts import FACTS_MARK


@dataclass(frozen=True, slots=True)
class AskParams:
    """How second asks are made, whatever their kind.

    Attributes:
        teacher: model that is asked; empty is the one that wrote the chain.
        draws: replies per chain; more than one needs a temperature.
        temperature: sampling temperature.
        max_tokens: most tokens of one reply.
        extra: further request parameters; JSON values by name.
        structured: whether the endpoint is told the form of the reply.
        repair: how often a reply that cannot be read is sent back; 0 or 1.
        prompt: template instead of the one that ships; empty is that one.
        wrong_answers: whether chains whose answer verify found wrong are asked about too.
        max_side_px: longer side of a picture that is sent; larger ones are scaled down.
    """

    READING: ClassVar[frozenset[str]] = frozenset()

    teacher: str = ""
    draws: int = 1
    temperature: float = 0.0
    max_tokens: int = 512
    extra: Mapping[str, Any] = field(default_factory=dict)
    structured: bool = False
    repair: int = 1
    prompt: str = ""
    wrong_answers: bool = False
    max_side_px: int = 1568

    def __post_init__(self) -> None:
        wrong = [
            f"{name} must be {expected}, found {getattr(self, name)!r}"
            for name, expected, holds in (
                ("draws", "at least 1", self.draws >= 1),
                (
                    "temperature",
                    "above 0 for several draws",
                    self.temperature > 0 or self.draws == 1,
                ),
                ("max_tokens", "at least 1", self.max_tokens >= 1),
                ("repair", "0 or 1", self.repair in {0, 1}),
                ("prompt", f"a text with {FACTS_MARK} once", self._prompt_is_usable()),
                ("max_side_px", "at least 32", self.max_side_px >= 32),  # noqa: PLR2004
            )
            if not holds
        ]
        if wrong:
            msg = f"{type(self).__name__}: {'; '.join(wrong)}"
            raise RecipeError(msg)

    def _prompt_is_usable(self) -> bool:
        return not self.prompt or self.prompt.count(FACTS_MARK) == 1

    def asking(self) -> dict[str, Any]:
        """Return what decides the replies."""
        return {k: v for k, v in asdict(self).items() if k not in self.READING}

    def reading(self) -> dict[str, Any]:
        """Return what decides how replies are read."""
        return {k: v for k, v in asdict(self).items() if k in self.READING}


@dataclass(frozen=True, slots=True)
class JudgeParams(AskParams):
    """A judge that sees the picture scores the reasoning of each chain.

    Attributes:
        threshold: least mean score at which a chain passes.
    """

    READING: ClassVar[frozenset[str]] = frozenset({"threshold"})

    threshold: float = 0.5


@dataclass(frozen=True, slots=True)
class RewriteParams(AskParams):
    """A rewriter that sees no picture rewords the reasoning of each chain.

    Attributes:
        max_tokens: most tokens of one reply.
    """

    max_tokens: int = 2048


@dataclass(frozen=True, slots=True)
class NeedsImageParams(AskParams):
    """The question of each chain asked again without the picture.

    Attributes:
        masked: whether the picture is shown with its target covered, instead of none.
        most_right: largest share of right blind answers at which the image counts as needed.
        relative_tolerance: allowed relative error of number answers.
    """

    READING: ClassVar[frozenset[str]] = frozenset({"most_right", "relative_tolerance"})

    masked: bool = False
    most_right: float = 0.0
    relative_tolerance: float = 0.0


ReviewParams = JudgeParams | RewriteParams | NeedsImageParams
