"""Questions about what objects are: attributes, counts, comparisons.

Size is never asked for alone: how large something looks depends on how near it is.
"""

from itertools import permutations
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
from tasks.ingest.scenes.mentions import Attribute, mention, phrase, plural, value_of
from tasks.ingest.scenes.render import ObjectTruth
from tasks.ingest.scenes.solids import Colour, Material, Shape, Size

VALUES: Final[dict[Attribute, tuple[str, ...]]] = {
    Attribute.COLOUR: tuple(colour.value for colour in Colour),
    Attribute.MATERIAL: tuple(material.value for material in Material),
    Attribute.SHAPE: tuple(shape.value for shape in Shape),
}
"""The attributes that can be asked for, and their words."""

WHAT: Final[dict[Attribute, tuple[str, ...]]] = {
    Attribute.COLOUR: (
        "What colour is the {}?",
        "Which colour does the {} have?",
        "What is the colour of the {}?",
    ),
    Attribute.MATERIAL: (
        "What is the {} made of?",
        "Which material is the {} made of?",
        "What is the material of the {}?",
    ),
    Attribute.SHAPE: (
        "What shape is the {}?",
        "Which shape does the {} have?",
        "What is the shape of the {}?",
    ),
}

CLAIM: Final[dict[Attribute, tuple[str, ...]]] = {
    Attribute.COLOUR: ("Is the {} {}?", "Is {1} the colour of the {0}?"),
    Attribute.MATERIAL: ("Is the {} made of {}?", "Is {1} the material of the {0}?"),
    Attribute.SHAPE: ("Is the {} a {}?", "Does the {} have the shape of a {}?"),
}

HOW_MANY: Final = (
    "How many {} are there?",
    "How many {} are in the picture?",
    "What is the number of {} in the picture?",
)

MORE: Final = ("Are there more {} than {}?", "Do the {} outnumber the {}?")

SAME: Final = (
    "Do the {0} and the {1} have the same {2}?",
    "Is the {0} of the same {2} as the {1}?",
)

WHICH_SIZE: Final = (
    "Which is {2}, the {0} or the {1}?",
    "Which object is {2}: the {0} or the {1}?",
)


def what(view: View) -> SceneQuestion | None:
    """An attribute of one object."""
    attribute = view.draw.one_of(tuple(VALUES))
    named = _one_clear(view, attribute)
    if named is None:
        return None
    target, name = named
    is_open = attribute is Attribute.COLOUR
    return SceneQuestion(
        question=view.draw.one_of(WHAT[attribute]).format(name),
        answer=value_of(target, attribute),
        answer_kind=AnswerKind.TEXT if is_open else AnswerKind.CHOICE,
        choices=() if is_open else view.draw.shuffled(VALUES[attribute]),
        boxes=(target.box,),
        kind=QuestionKind.ATTRIBUTE,
    )


def claim(view: View) -> SceneQuestion | None:
    """A true or false claim about an attribute of one object."""
    attribute, is_true = view.draw.one_of(tuple(VALUES)), view.coin()
    named = _one_clear(view, attribute)
    if named is None:
        return None
    target, name = named
    truth = value_of(target, attribute)
    others = tuple(value for value in VALUES[attribute] if value != truth)
    claimed = truth if is_true else view.draw.one_of(others)
    question = view.draw.one_of(CLAIM[attribute]).format(name, claimed)
    return yes_no(question, (target.box,), QuestionKind.ATTRIBUTE, is_true=is_true)


def count(view: View) -> SceneQuestion | None:
    """How many objects of a kind there are; the number is drawn before the kind."""
    groups = _groups(view)
    if not groups:
        return None
    number = view.draw.one_of(tuple(sorted({len(group) for group in groups.values()})))
    words = view.draw.one_of(tuple(w for w, group in groups.items() if len(group) == number))
    return SceneQuestion(
        question=view.draw.one_of(HOW_MANY).format(plural(words)),
        answer=str(number),
        answer_kind=AnswerKind.NUMBER,
        choices=(),
        boxes=tuple(truth.box for truth in groups[words]),
        kind=QuestionKind.COUNT,
    )


def more(view: View) -> SceneQuestion | None:
    """Whether one kind of object outnumbers another kind that shares none with it."""
    groups, is_true = _groups(view), view.coin()
    pairs = tuple(
        (one, other)
        for one, other in permutations(groups, 2)
        if (len(groups[one]) > len(groups[other])) is is_true
        and not set(groups[one]) & set(groups[other])
    )
    if not pairs:
        return None
    one, other = view.draw.one_of(pairs)
    question = view.draw.one_of(MORE).format(plural(one), plural(other))
    boxes = tuple(truth.box for truth in (*groups[one], *groups[other]))
    return yes_no(question, boxes, QuestionKind.COMPARISON, is_true=is_true)


def same(view: View) -> SceneQuestion | None:
    """Whether two objects share an attribute."""
    attribute, is_true = view.draw.one_of(tuple(VALUES)), view.coin()

    def holds(one: ObjectTruth, other: ObjectTruth) -> bool:
        return (value_of(one, attribute) == value_of(other, attribute)) is is_true

    duo = pick_duo(view, holds, {attribute})
    if duo is None:
        return None
    question = view.draw.one_of(SAME).format(*duo.names, attribute.value)
    return yes_no(question, duo.boxes, QuestionKind.COMPARISON, is_true=is_true)


def which_size(view: View) -> SceneQuestion | None:
    """Which of two objects is larger or smaller in the world."""
    wanted = Size.LARGE if view.coin() else Size.SMALL
    duo = pick_duo(view, lambda one, other: one.size is wanted is not other.size, {Attribute.SIZE})
    if duo is None:
        return None
    degree = "larger" if wanted is Size.LARGE else "smaller"
    template = view.draw.one_of(WHICH_SIZE).format("{0}", "{1}", degree)
    return which_of_two(view, duo, template, QuestionKind.COMPARISON)


def _one_clear(view: View, attribute: Attribute) -> tuple[ObjectTruth, str] | None:
    """A clear object, and its name without `attribute`."""
    if not view.clear:
        return None
    target = view.draw.one_of(view.clear)
    name = mention(target, view.objects, {attribute})
    return None if name is None else (target, name)


def _groups(view: View) -> dict[str, tuple[ObjectTruth, ...]]:
    """Objects by what they share (colour, shape, material, colour and shape), all of them clear."""
    groups: dict[str, list[ObjectTruth]] = {}
    shared = ({a} for a in VALUES)
    for attributes in (*shared, {Attribute.COLOUR, Attribute.SHAPE}, set[Attribute]()):
        for truth in view.objects:
            groups.setdefault(phrase(truth, attributes), []).append(truth)
    clear = set(view.clear)
    return {words: tuple(group) for words, group in groups.items() if clear.issuperset(group)}
