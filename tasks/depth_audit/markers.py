"""Where the two points of a labelled picture are, when they are drawn into it.

BLINK's relative-depth pictures (arXiv:2404.12390) carry two red rings of 10 px, each with a black
label holding a white A or B right above it, or right below at the upper edge.  Rings are found by a
filter that answers to a red rim around and inside something less red, labels by correlation with
the two glyphs; among the strongest rings the pair that fits both best is taken.
"""

from dataclasses import dataclass
from itertools import permutations
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from tasks.depth_audit.truth_rows import TruthRowError

RGB = npt.NDArray[np.uint8]
Reals = npt.NDArray[np.float32]

RING_RADIUS: Final = (3.8, 6.2)
INSIDE: Final = 2.6
AROUND: Final = (7.5, 10.0)
REACH: Final = 12
CANDIDATES: Final = 6
LEAST_RING: Final = 0.08
LEAST_LABEL: Final = 0.6
"""Least answers: rings in the pack give 0.15 to 0.48, labels 0.8 and more, pictures less."""
LABEL_REACH_PX: Final = (34, 14)
"""Rows and columns around a ring's centre in which its label lies."""

GLYPHS: Final = {
    "A": """
        ....#....
        ....#....
        ...###...
        ...#.#...
        ..##.##..
        ..#...#..
        ..#...#..
        .#######.
        .#######.
        .#.....#.
        ##.....##
    """,
    "B": """
        #######..
        ##....#..
        ##....##.
        ##....##.
        ##...##..
        #######..
        ##....#..
        ##....##.
        ##....##.
        ##...##..
        #######..
    """,
}
"""White on black, 11 rows of 9 px, within a label of 15 x 14."""


@dataclass(frozen=True, slots=True)
class Point:
    """A place in a picture, px from the left and the top."""

    x: int
    y: int


@dataclass(frozen=True, slots=True)
class _Ring:
    at: Point
    answer: float
    labels: dict[str, float]


def find_points(rgb: RGB) -> dict[str, Point]:
    """Return the points called A and B.

    Raises:
        TruthRowError: the picture does not show two labelled rings.
    """
    rings = _rings(rgb)
    pairs = [
        (one.answer + one.labels["A"] + two.answer + two.labels["B"], one, two)
        for one, two in permutations(rings, 2)
        if min(one.labels["A"], two.labels["B"]) >= LEAST_LABEL
    ]
    if not pairs:
        msg = (
            f"expected two red rings labelled A and B, found {len(rings)} rings without such labels"
        )
        raise TruthRowError(msg)
    _, a, b = max(pairs, key=lambda pair: pair[0])
    return {"A": a.at, "B": b.at}


def _rings(rgb: RGB) -> list[_Ring]:
    colours = rgb.astype(np.float32) / 255
    red = np.clip(colours[..., 0] - np.maximum(colours[..., 1], colours[..., 2]), 0, 1)
    answers = cv2.filter2D(red, -1, _ring_filter(), borderType=cv2.BORDER_REPLICATE)
    light = rgb.max(axis=2)
    found = []
    for _ in range(CANDIDATES):
        y, x = np.unravel_index(int(answers.argmax()), answers.shape)
        answer = float(answers[y, x])
        if answer < LEAST_RING:
            break
        at = Point(int(x), int(y))
        found.append(_Ring(at, answer, _labels(light, at)))
        answers[max(0, y - 10) : y + 11, max(0, x - 10) : x + 11] = -1
    return found


def _ring_filter() -> Reals:
    """Return weights: the mean over a ring less those inside and around it, half each."""
    rows, columns = np.mgrid[-REACH : REACH + 1, -REACH : REACH + 1]
    radius = np.hypot(rows, columns)
    ring = (radius >= RING_RADIUS[0]) & (radius <= RING_RADIUS[1])
    inside, around = radius < INSIDE, (radius > AROUND[0]) & (radius <= AROUND[1])
    weights = ring / ring.sum() - inside / (2 * inside.sum()) - around / (2 * around.sum())
    return np.asarray(weights, dtype=np.float32)


def _labels(light: npt.NDArray[np.uint8], at: Point) -> dict[str, float]:
    """Return how well each glyph fits somewhere beside a ring, -1 to 1."""
    rows, columns = LABEL_REACH_PX
    window = cv2.copyMakeBorder(light, rows, rows, columns, columns, cv2.BORDER_CONSTANT, value=128)
    window = window[at.y : at.y + 2 * rows + 1, at.x : at.x + 2 * columns + 1]
    return {
        name: float(cv2.matchTemplate(window, _label(name), cv2.TM_CCOEFF_NORMED).max())
        for name in GLYPHS
    }


def _label(name: str) -> npt.NDArray[np.uint8]:
    """Return the label of a glyph, (15, 13) px."""
    lines = GLYPHS[name].split()
    glyph = np.asarray([[255 * (c == "#") for c in line] for line in lines], dtype=np.uint8)
    return np.pad(glyph, 2)
