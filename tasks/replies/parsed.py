"""What a reply says, in one shape for every grammar.

Everything is as the reply wrote it: boxes are read into fractions, and answers into numbers, by
those who know the view and the question.  A field that the grammar has no place for, or that the
reply leaves out, is null; `answered` and `states_region` say whether it said what was asked for.
"""

from collections.abc import Collection
from dataclasses import dataclass, field, replace
from enum import StrEnum


class Grammar(StrEnum):
    """The forms of replies that can be read; each is a module of this package."""

    AUTO = "auto"
    BBOX_JSON = "bbox_json"
    BBOX_TAG = "bbox_tag"
    BOXED = "boxed"
    FREE_TEXT = "free_text"
    HASH_ANSWER = "hash_answer"
    JUDGE_SCORES = "judge_scores"
    OPTION_LETTER = "option_letter"
    ROUND_JSON = "round_json"
    STAGE_TAGS = "stage_tags"
    THINK_ANSWER = "think_answer"
    THOUGHT_ACTION = "thought_action"
    THOUGHTS = "thoughts"
    ZOOM_TOKENS = "zoom_tokens"


class Defect(StrEnum):
    """What is wrong with a text, whether or not it could be read."""

    MISSING_OPENING = "missing_opening"
    MISSING_END = "missing_end"
    REPETITION = "repetition"
    ROLE_TOKEN = "role_token"  # noqa: S105 - no password
    PROMPT_ECHO = "prompt_echo"


class PartKind(StrEnum):
    """What one element of an interleaved reply is."""

    THOUGHT = "thought"
    ACTION = "action"
    ANSWER = "answer"
    IMAGE = "image"
    ZOOM = "zoom"


@dataclass(frozen=True, slots=True)
class WrittenBox:
    """A box as it stands in a reply.

    Attributes:
        value: four numbers, texts of numbers, or whatever stood in their place.
        label: what the reply calls it, null if it does not.
    """

    value: object
    label: str | None = None


@dataclass(frozen=True, slots=True)
class TracePart:
    """One element of an interleaved reply, in the order of the text.

    Attributes:
        text: the words of a thought, the code of an action, the name of an image.
        number: as the reply counts it, null if it does not.
        values: literal lists of texts in the call of an action, in order.
    """

    kind: PartKind
    text: str
    number: int | None = None
    values: tuple[tuple[str, ...], ...] = ()


@dataclass(frozen=True, slots=True)
class ParsedReply:
    """What a reply says.

    Attributes:
        grammar: the form it was read by; `auto` if none of the forms fits.
        thinking: between thinking tags.
        description: of what is seen.
        reasoning: the rationale that leads to the answer.
        scores: of a judge, in the order stated.
        defects: sorted by name.
    """

    grammar: Grammar
    thinking: str | None = None
    description: str | None = None
    reasoning: str | None = None
    answer: str | None = None
    boxes: tuple[WrittenBox, ...] = ()
    parts: tuple[TracePart, ...] = field(default=())
    scores: tuple[float, ...] = ()
    defects: tuple[Defect, ...] = ()

    @property
    def answered(self) -> bool:
        """Whether an answer was found."""
        return self.answer is not None

    @property
    def states_region(self) -> bool:
        """Whether a box was found; it may still not be readable as one."""
        return bool(self.boxes)

    def with_defects(self, more: Collection[Defect]) -> "ParsedReply":
        """Return the same reply with `more` defects."""
        return replace(self, defects=tuple(sorted({*self.defects, *more})))
