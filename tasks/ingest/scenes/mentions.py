"""How a question names an object: the plainest words that fit this object and no other.

Uniqueness is checked against every object in the picture, also those that are too hidden to be
asked about. Size is used last: perspective makes it the hardest attribute to see.
"""

from collections.abc import Collection, Sequence
from enum import StrEnum
from itertools import combinations
from typing import Final

from tasks.ingest.scenes.render import ObjectTruth


class Attribute(StrEnum):
    """What can be said about an object, in the order of the words."""

    SIZE = "size"
    COLOUR = "colour"
    MATERIAL = "material"
    SHAPE = "shape"


COST: Final[dict[Attribute, float]] = {
    Attribute.COLOUR: 1.0,
    Attribute.SHAPE: 1.0,
    Attribute.MATERIAL: 2.0,
    Attribute.SIZE: 4.0,
}
"""The cheapest unique mention wins."""

MISSED: Final = frozenset({Attribute.COLOUR, Attribute.SHAPE})
"""'The red sphere' reads better than 'the sphere' or 'the red object'."""

MISSING_COST: Final = 1.5

PLURALS: Final[dict[str, str]] = {
    "sphere": "spheres",
    "box": "boxes",
    "cylinder": "cylinders",
    "object": "objects",
}

NOUN: Final = "object"


def value_of(truth: ObjectTruth, attribute: Attribute) -> str:
    """The word for one attribute of an object."""
    match attribute:
        case Attribute.SIZE:
            return truth.size.value
        case Attribute.COLOUR:
            return truth.colour.value
        case Attribute.MATERIAL:
            return truth.material.value
        case Attribute.SHAPE:
            return truth.shape.value


def mention(
    target: ObjectTruth, objects: Sequence[ObjectTruth], without: Collection[Attribute] = ()
) -> str | None:
    """Words that name `target` alone, such as 'red metal sphere'; None where there are none.

    Args:
        target: the object to name.
        objects: everything in the picture, `target` included.
        without: attributes that the words must not give away.
    """
    allowed = [attribute for attribute in Attribute if attribute not in without]
    subsets = (subset for n in range(len(allowed) + 1) for subset in combinations(allowed, n))
    unique = [subset for subset in subsets if _matches(target, objects, subset) == 1]
    if not unique:
        return None
    return phrase(target, min(unique, key=_cost))


def phrase(target: ObjectTruth, attributes: Collection[Attribute]) -> str:
    """The words for some attributes of an object, in their usual order."""
    words = [value_of(target, attribute) for attribute in Attribute if attribute in attributes]
    return " ".join(words if Attribute.SHAPE in attributes else [*words, NOUN])


def plural(words: str) -> str:
    """'red sphere' as 'red spheres'."""
    *front, noun = words.split()
    return " ".join([*front, PLURALS[noun]])


def _matches(
    target: ObjectTruth, objects: Sequence[ObjectTruth], attributes: Sequence[Attribute]
) -> int:
    """How many objects share these attributes with `target`."""
    return sum(
        all(value_of(other, attribute) == value_of(target, attribute) for attribute in attributes)
        for other in objects
    )


def _cost(attributes: Collection[Attribute]) -> float:
    missing = MISSED.difference(attributes)
    return sum(COST[attribute] for attribute in attributes) + MISSING_COST * len(missing)
