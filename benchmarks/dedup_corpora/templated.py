"""Rationales as Visual-CoT teachers write them: few skeletons, many slots.

Two rationales about different pictures share most of their words and are *not* duplicates; that
is what breaks schemes that join unverified collisions.  Row `n` is a function of (seed, n) alone,
so any range of any size streams, in any order.  A planted duplicate edits a row before it.
`templated` is usual: of what joined collisions (14 bands of 8) drop in 20,000 rows 42 % are
duplicates.  `rigid` is as bad as it gets: long fixed sentences and few slots, 1.2 % of all pairs
are beyond 0.5.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from random import Random
from typing import Final

from benchmarks.dedup_corpora.edits import edited, laid_out

SHARE_PLANTED: Final = 0.25
SKELETONS: Final = 40
"""Ways to reason; a teacher with one prompt has few."""
EDITS: Final = (0, 0, 1, 1, 1, 2, 2, 3, 5)
"""How many words a planted duplicate differs in; 0 is layout only."""

COLOURS: Final = (
    "red", "blue", "green", "yellow", "black", "white", "brown", "grey", "orange", "purple",
    "silver", "dark", "pale", "striped",
)  # fmt: skip
THINGS: Final = (
    "cup", "chair", "dog", "bicycle", "laptop", "bottle", "car", "bench", "umbrella", "horse",
    "backpack", "clock", "vase", "sofa", "kite", "boat", "truck", "cat", "sheep", "lamp", "plate",
    "book", "train", "person", "child", "sign", "bird", "table", "window", "suitcase", "helmet",
    "keyboard", "phone", "banana", "cake", "surfboard", "traffic light", "fire hydrant",
    "tennis racket", "wine glass", "shopping bag", "street lamp", "parking meter",
)  # fmt: skip
SIDES: Final = ("left", "right")
PLACES: Final = (
    "on the left side", "on the right side", "near the centre", "at the bottom edge",
    "in the upper left corner", "in the upper right corner", "in the foreground",
    "in the background", "behind the {other}", "in front of the {other}", "beside the {other}",
)  # fmt: skip
ANSWERS: Final = ("yes", "no", "A", "B", "C", "D", "two", "three", "four", "{thing}", "{colour}")
OPENINGS: Final = (
    "To answer the question, I look at the image step by step.",
    "Let me examine the picture before I answer.",
    "The question asks about the {colour} {thing} in the image, so I first find it.",
    "First, I need to locate the {thing} that the question mentions.",
    "I start with the objects that matter for the question.",
)
SENTENCES: Final = (
    "The {colour} {thing} is {place}, within the region [{a}, {b}, {c}, {d}].",
    "In the region of interest I can see a {colour} {thing} and a {other_colour} {other}.",
    "The {other} lies to the {side} of the {thing}, so the two do not overlap.",
    "Its median depth is {depth}, which is smaller than {deeper}, the depth of the {other}.",
    "Since a larger value means nearer, the {thing} is closer to the camera than the {other}.",
    "There are {count} objects of this kind, and {few} of them are partly hidden.",
    "The text next to it reads {number}, which matches what the question asks for.",
    "No other {thing} can be seen {place}.",
    "The box covers about {percent} percent of the picture, so I zoom in to read the details.",
    "After zooming in, the {colour} surface of the {thing} can be made out without doubt.",
    "Comparing both, the {other_colour} {other} is {side} of the {thing} and further away.",
)
FIXED: Final = (
    (
        "A careful answer needs the exact position of every object that the question names, so I "
        "check each of them in turn before I compare them."
    ),
    (
        "I ignore objects that are cut off by the border of the picture, since their size and "
        "their depth cannot be judged with any confidence."
    ),
    "The lighting is even and the picture is sharp, so colours and outlines can be trusted here.",
    (
        "Positions are given as fractions of the width and height of the picture, with the origin "
        "in the upper left corner."
    ),
    (
        "Depth is relative: larger values are nearer to the camera, and values of two pictures "
        "must not be compared with each other."
    ),
    (
        "Nothing else in the scene changes this conclusion, because the remaining objects are too "
        "far away to matter for the question."
    ),
    "I also look for reflections and shadows, which often look like a second object but are not.",
)
CLOSINGS: Final = (
    "Therefore the answer is {answer}.",
    "Based on this evidence, the correct answer is {answer}.",
    "So the final answer to the question is {answer}.",
)


@dataclass(frozen=True, slots=True)
class Style:
    """How many sentences a rationale has: up to `fixed` without a slot, and those with slots."""

    fixed: int
    fewest: int
    most: int


USUAL: Final = Style(fixed=2, fewest=4, most=7)
RIGID: Final = Style(fixed=6, fewest=2, most=6)


def templated(count: int, seed: int = 1, start: int = 0, style: Style = USUAL) -> Iterator[str]:
    """Yield rows `start`..`start + count - 1`."""
    for number in range(start, start + count):
        rng = Random(f"{seed} plan {number}")  # noqa: S311 - a corpus
        if number == 0 or rng.random() >= SHARE_PLANTED:
            yield _rationale(seed, number, style)
            continue
        source = _rationale(seed, rng.randrange(number), style)
        edits = rng.choice(EDITS)
        yield edited(source, rng, edits) if edits else laid_out(source, rng)


def rigid(count: int, seed: int = 1, start: int = 0) -> Iterator[str]:
    """Yield rows of rationales that differ in little, as `templated` does."""
    return templated(count, seed, start, RIGID)


def _rationale(seed: int, number: int, style: Style) -> str:
    rng = Random(f"{seed} row {number}")  # noqa: S311 - a corpus
    slots = _slots(rng)
    skeleton = Random(f"{seed} skeleton {rng.randrange(SKELETONS)}")  # noqa: S311 - a corpus
    fixed = skeleton.sample(FIXED, skeleton.randint(0, style.fixed))
    body = [*fixed, *skeleton.sample(SENTENCES, skeleton.randint(style.fewest, style.most))]
    skeleton.shuffle(body)
    lines = [skeleton.choice(OPENINGS), *body, skeleton.choice(CLOSINGS)]
    return " ".join(lines).format_map(slots).format_map(slots)


def _slots(rng: Random) -> dict[str, object]:
    thing, other = rng.sample(THINGS, 2)
    colour, other_colour = rng.sample(COLOURS, 2)
    left, top = rng.randrange(70), rng.randrange(70)
    return {
        "thing": thing,
        "other": other,
        "colour": colour,
        "other_colour": other_colour,
        "side": rng.choice(SIDES),
        "place": rng.choice(PLACES),
        "answer": rng.choice(ANSWERS),
        "a": f"0.{left:02d}",
        "b": f"0.{top:02d}",
        "c": f"0.{left + rng.randint(5, 29):02d}",
        "d": f"0.{top + rng.randint(5, 29):02d}",
        "depth": f"0.{rng.randrange(50):02d}",
        "deeper": f"0.{rng.randint(50, 99)}",
        "count": rng.randint(2, 9),
        "few": rng.randint(1, 4),
        "number": rng.randrange(10_000),
        "percent": rng.randint(2, 60),
    }
