"""Questions about where objects are: beside each other in the picture, nearer or farther in depth.

A relation is asked about only if it holds with a margin by the exact truth, so that an estimate
from masks and a depth map can confirm it.
"""

from typing import Final

from tasks.ingest.scenes.asked import (
    AnswerKind,
    QuestionKind,
    SceneQuestion,
    View,
    pick_duo,
    which_of_two,
    yes_no,
)
from tasks.ingest.scenes.mentions import mention
from tasks.ingest.scenes.render import ObjectTruth

DEPTH_GAP_M: Final = 0.6
"""Least difference of median depths for a depth relation, in metres."""

DEPTH_GAP_SHARE: Final = 0.1
"""The same as a share of the nearer depth."""

SIDE_GAP_SHARE: Final = 0.02
"""Least free space between two boxes for a 2D relation, as a share of the image side."""

SIDES: Final = (("left", "right"), ("right", "left"), ("above", "below"), ("below", "above"))
"""An answer and its opposite; the first two lie along x, the others along y."""

WHICH_SIDE: Final = (
    ("Is the {} to the left or to the right of the {}?", "On which side of the {1} is the {0}?"),
    (
        "Is the {} above or below the {} in the picture?",
        "Is the {} higher or lower in the picture than the {}?",
    ),
)
"""By axis."""

SIDE_CLAIM: Final[dict[str, tuple[str, ...]]] = {
    "left": ("Is the {} to the left of the {}?", "Is the {} left of the {} in the picture?"),
    "right": ("Is the {} to the right of the {}?", "Is the {} right of the {} in the picture?"),
    "above": ("Is the {} higher in the picture than the {}?",),
    "below": ("Is the {} lower in the picture than the {}?",),
}

WHICH_DEPTH: Final = (
    "Which is {2} the camera, the {0} or the {1}?",
    "Which object is {2} the camera: the {0} or the {1}?",
)

DEPTH_CLAIM: Final = (
    "Is the {0} {2} the camera than the {1}?",
    "Compared with the {1}, is the {0} {2} the camera?",
)

EXTREME: Final = ("Which object is {} the camera?", "What is the object {} the camera?")


def which_side(view: View) -> SceneQuestion | None:
    """On which side of another an object is."""
    words = view.draw.one_of(SIDES)
    duo = pick_duo(view, lambda one, other: is_beside(view, words[0], one, other))
    if duo is None:
        return None
    template = view.draw.one_of(WHICH_SIDE[SIDES.index(words) // 2])
    answers = _as_asked(template, words)
    return SceneQuestion(
        question=template.format(*duo.names),
        answer=answers[0],
        answer_kind=AnswerKind.CHOICE,
        choices=view.draw.shuffled(answers),
        boxes=duo.boxes,
        kind=QuestionKind.RELATION_2D,
    )


def side_claim(view: View) -> SceneQuestion | None:
    """A true or false claim about the side of an object."""
    claimed, opposite = view.draw.one_of(SIDES)
    is_true = view.coin()
    real = claimed if is_true else opposite
    duo = pick_duo(view, lambda one, other: is_beside(view, real, one, other))
    if duo is None:
        return None
    question = view.draw.one_of(SIDE_CLAIM[claimed]).format(*duo.names)
    return yes_no(question, duo.boxes, QuestionKind.RELATION_2D, is_true=is_true)


def which_depth(view: View) -> SceneQuestion | None:
    """Which of two objects is nearer or farther."""
    is_nearer = view.coin()
    duo = pick_duo(view, lambda one, other: _holds(one, other, is_nearer=is_nearer))
    if duo is None:
        return None
    words = "closer to" if is_nearer else "farther from"
    template = view.draw.one_of(WHICH_DEPTH).format("{0}", "{1}", words)
    return which_of_two(view, duo, template, QuestionKind.RELATION_DEPTH)


def depth_claim(view: View) -> SceneQuestion | None:
    """A true or false claim about which of two objects is nearer."""
    claims_nearer, is_true = view.coin(), view.coin()
    duo = pick_duo(view, lambda one, other: _holds(one, other, is_nearer=claims_nearer is is_true))
    if duo is None:
        return None
    words = "closer to" if claims_nearer else "farther from"
    question = view.draw.one_of(DEPTH_CLAIM).format(*duo.names, words)
    return yes_no(question, duo.boxes, QuestionKind.RELATION_DEPTH, is_true=is_true)


def extreme_depth(view: View) -> SceneQuestion | None:
    """The nearest or the farthest object of all."""
    wants_nearest = view.coin()
    for target in view.clear:
        others = [truth for truth in view.objects if truth is not target]
        name = mention(target, view.objects)
        stands_out = all(_holds(target, other, is_nearer=wants_nearest) for other in others)
        if others and stands_out and name is not None:
            words = "closest to" if wants_nearest else "farthest from"
            return SceneQuestion(
                question=view.draw.one_of(EXTREME).format(words),
                answer=name,
                answer_kind=AnswerKind.TEXT,
                choices=(),
                boxes=(target.box,),
                kind=QuestionKind.RELATION_DEPTH,
            )
    return None


def is_nearer_by_margin(one: ObjectTruth, other: ObjectTruth) -> bool:
    """Whether `one` is nearer than `other` beyond doubt."""
    return other.depth_m - one.depth_m >= max(DEPTH_GAP_M, DEPTH_GAP_SHARE * one.depth_m)


def is_beside(view: View, side: str, one: ObjectTruth, other: ObjectTruth) -> bool:
    """Whether `one` lies on that side of `other`, with free space between their boxes."""
    if side in {"right", "below"}:
        one, other = other, one
    axis = 0 if side in {"left", "right"} else 1
    gap_px = other.box[axis] - one.box[axis + 2]
    return gap_px >= SIDE_GAP_SHARE * view.size_px[axis]


def _holds(one: ObjectTruth, other: ObjectTruth, *, is_nearer: bool) -> bool:
    return is_nearer_by_margin(one, other) if is_nearer else is_nearer_by_margin(other, one)


def _as_asked(template: str, words: tuple[str, str]) -> tuple[str, str]:
    """The two answers in the words of the question."""
    heights = {"above": "higher", "below": "lower"}
    if "higher" in template:
        return heights[words[0]], heights[words[1]]
    return words
