"""What a generated question is, and what its makers work from."""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from enum import StrEnum
from itertools import permutations
from typing import Final

from tasks.ingest.scenes.mentions import Attribute, mention
from tasks.ingest.scenes.render import Box, ObjectTruth
from tasks.ingest.scenes.world import Draw

CLEAR_SHARE: Final = 0.6
"""An object is asked about only if this share of its silhouette shows."""


class AnswerKind(StrEnum):
    """What an answer looks like."""

    YES_NO = "yes_no"
    NUMBER = "number"
    CHOICE = "choice"
    TEXT = "text"


class QuestionKind(StrEnum):
    """What a question is about."""

    ATTRIBUTE = "attribute"
    COUNT = "count"
    COMPARISON = "comparison"
    RELATION_2D = "relation_2d"
    RELATION_DEPTH = "relation_depth"


@dataclass(frozen=True, slots=True)
class SceneQuestion:
    """One question with its exact answer.

    Attributes:
        question: ends with a question mark.
        answer: `yes` or `no`, digits, one of `choices`, or a few words.
        answer_kind: which of these.
        choices: what a `choice` may be answered with, in random order; else empty.
        boxes: the objects that the answer needs, pixels of the image, half-open.
        kind: what it is about.
    """

    question: str
    answer: str
    answer_kind: AnswerKind
    choices: tuple[str, ...]
    boxes: tuple[Box, ...]
    kind: QuestionKind


@dataclass(frozen=True, slots=True)
class View:
    """What a maker of questions works from.

    Attributes:
        objects: everything visible.
        size_px: width and height of the image.
        draw: source of chance.
    """

    objects: tuple[ObjectTruth, ...]
    size_px: tuple[int, int]
    draw: Draw

    @property
    def clear(self) -> tuple[ObjectTruth, ...]:
        """The objects that may be asked about."""
        return tuple(truth for truth in self.objects if truth.visible_share >= CLEAR_SHARE)

    def coin(self) -> bool:
        """True half of the time."""
        return bool(self.draw.whole(0, 1))


@dataclass(frozen=True, slots=True)
class Duo:
    """Two objects and the words that name each."""

    first: ObjectTruth
    second: ObjectTruth
    first_name: str
    second_name: str

    @property
    def boxes(self) -> tuple[Box, Box]:
        """Both boxes, in order."""
        return self.first.box, self.second.box

    @property
    def names(self) -> tuple[str, str]:
        """Both names, in order."""
        return self.first_name, self.second_name


def pick_duo(
    view: View,
    holds: Callable[[ObjectTruth, ObjectTruth], bool],
    without: Collection[Attribute] = (),
) -> Duo | None:
    """Two clear objects for which `holds`, named without some attributes; None without such."""
    duos = tuple(pair for pair in permutations(view.clear, 2) if holds(*pair))
    if not duos:
        return None
    first, second = view.draw.one_of(duos)
    names = mention(first, view.objects, without), mention(second, view.objects, without)
    if names[0] is None or names[1] is None:
        return None
    return Duo(first, second, names[0], names[1])


def yes_no(
    question: str, boxes: tuple[Box, ...], kind: QuestionKind, *, is_true: bool
) -> SceneQuestion:
    """A question about a claim."""
    return SceneQuestion(question, "yes" if is_true else "no", AnswerKind.YES_NO, (), boxes, kind)


def which_of_two(view: View, duo: Duo, template: str, kind: QuestionKind) -> SceneQuestion:
    """A choice between two objects, the first of `duo` being right; named in random order."""
    choices = view.draw.shuffled(duo.names)
    question = template.format(*choices)
    return SceneQuestion(question, duo.first_name, AnswerKind.CHOICE, choices, duo.boxes, kind)
