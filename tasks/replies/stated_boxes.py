"""Boxes as teachers write them, read into fractions of the view they were shown.

Teachers write fractions, thousandths or pixels, and 0..1000 and pixels look alike.  Numbers above
1 are read by the convention the recipe names; another is used only where that one is impossible,
and a box that fits both says so (`ambiguous`), so that nothing is guessed silently.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from sightline.boxes import Box, as_box

UNIT_LIMIT = 1.5
"""Up to here numbers are fractions that overshoot; as thousandths the box would be degenerate."""

_PER_MILLE = 1000.0
_OVERSHOOT = 1.02
"""Teachers round the far edge outward by up to 2 % of the picture; real replies show it."""

MAX_STATED = 1e9
"""Larger numbers are noise, and their areas overflow."""


class Convention(StrEnum):
    """How a box is written; stored in `steps.box_convention`."""

    UNIT = "unit"
    PER_MILLE = "0-1000"
    PIXELS = "px"


@dataclass(frozen=True, slots=True)
class StatedBox:
    """A box a reply states: fractions of its view, not clipped.

    Attributes:
        ambiguous: whether another convention would have been possible too.
    """

    box: Box
    convention: Convention
    ambiguous: bool = False


@dataclass(frozen=True, slots=True)
class BoxProblem:
    """Why what a reply states is no box; `found` is what stood there, shortened."""

    found: str


@dataclass(frozen=True, slots=True)
class Frame:
    """What is needed to read a box: the size shown, and the convention of large numbers."""

    width_px: int
    height_px: int
    large: Convention = Convention.PER_MILLE


def read_box(value: object, frame: Frame) -> StatedBox | BoxProblem:
    """Return the box that a JSON value states; any value is accepted.

    Args:
        value: four numbers, or texts of numbers, possibly in one more pair of brackets.
        frame: the view it was written for.
    """
    numbers = _four_numbers(value)
    if numbers is None:
        return BoxProblem(f"expected four numbers, found {_short(value)}")
    largest = max(map(abs, numbers))
    if largest <= UNIT_LIMIT:
        return StatedBox(numbers, Convention.UNIT)
    fits = {name: _fits(numbers, name, frame) for name in (Convention.PER_MILLE, Convention.PIXELS)}
    if not any(fits.values()):
        size = f"{frame.width_px} x {frame.height_px}"
        return BoxProblem(f"expected a box inside a view of {size} px, found {_short(value)}")
    chosen = frame.large if fits[frame.large] else _other(frame.large)
    return StatedBox(_as_fractions(numbers, chosen, frame), chosen, all(fits.values()))


def _four_numbers(value: object) -> Box | None:
    if isinstance(value, list | tuple) and len(value) == 1:
        value = value[0]
    if not isinstance(value, list | tuple):
        return None
    box = as_box([_number(item) for item in value])
    return box if box is not None and max(map(abs, box)) <= MAX_STATED else None


def _number(item: object) -> object:
    """Return a number for a number or its text, anything else unchanged; huge ones become inf."""
    if isinstance(item, bool) or not isinstance(item, int | float | str):
        return None
    try:
        return float(item)
    except OverflowError:
        return math.inf
    except ValueError:
        return None


def _fits(numbers: Sequence[float], convention: Convention, frame: Frame) -> bool:
    """Return whether no corner lies beyond the far edges; near edges are clipped later."""
    x_limit, y_limit = _limits(convention, frame)
    x_max, y_max = max(numbers[0], numbers[2]), max(numbers[1], numbers[3])
    return x_max <= x_limit * _OVERSHOOT and y_max <= y_limit * _OVERSHOOT


def _limits(convention: Convention, frame: Frame) -> tuple[float, float]:
    if convention is Convention.PIXELS:
        return float(frame.width_px), float(frame.height_px)
    return _PER_MILLE, _PER_MILLE


def _as_fractions(numbers: Box, convention: Convention, frame: Frame) -> Box:
    x_limit, y_limit = _limits(convention, frame)
    return (
        numbers[0] / x_limit,
        numbers[1] / y_limit,
        numbers[2] / x_limit,
        numbers[3] / y_limit,
    )


def _other(convention: Convention) -> Convention:
    return Convention.PIXELS if convention is Convention.PER_MILLE else Convention.PER_MILLE


def _short(value: object) -> str:
    """Return `value` for a detail; deep nesting and huge integers have no `repr`."""
    try:
        text = repr(value)
    except (RecursionError, ValueError):
        text = f"a {type(value).__name__}"
    return text if len(text) <= 80 else text[:79] + "…"  # noqa: PLR2004 - one line of a detail
