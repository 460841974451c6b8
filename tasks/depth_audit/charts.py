"""Line charts as plain numbers: ticks and places of points, which the template draws as SVG.

The page runs no script, follows the reader's light or dark colours and must be one file, so its
charts are a few dozen SVG elements and not a picture from a plotting library.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

WIDTH: Final = 560
HEIGHT: Final = 320
LEFT, RIGHT, TOP, BOTTOM = 56, 14, 12, 44
TICKS: Final = 6
"""About as many ticks on an axis."""


@dataclass(frozen=True, slots=True)
class Line:
    """One curve: its name and points (x, y), x growing."""

    name: str
    points: tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True)
class Tick:
    """A value on an axis and its place in px."""

    value: float
    at: float

    @property
    def text(self) -> str:
        """Return the value without float noise."""
        return f"{self.value:.6g}"


@dataclass(frozen=True, slots=True)
class Chart:
    """A chart: what its axes mean, and its lines.

    Attributes:
        title: what is to be seen.
        x_label: of the horizontal axis, with its unit.
        y_label: of the vertical axis, with its unit.
        lines: at least one, each with a point.
        y_from: least value of the vertical axis; None for 0 or less.
        y_to: greatest value of the vertical axis; None for what the lines need.
        x_from: least value of the horizontal axis, or less where a line needs it.
    """

    title: str
    x_label: str
    y_label: str
    lines: tuple[Line, ...]
    y_from: float | None = None
    y_to: float | None = None
    x_from: float = 0.0

    @property
    def x_ticks(self) -> list[Tick]:
        """Return ticks of the horizontal axis."""
        low, high = self._x_range()
        return [Tick(value, self._x(value)) for value in ticks(low, high)]

    @property
    def y_ticks(self) -> list[Tick]:
        """Return ticks of the vertical axis."""
        low, high = self._y_range()
        return [Tick(value, self._y(value)) for value in ticks(low, high)]

    def path(self, line: Line) -> str:
        """Return the points of a line as SVG's `points`."""
        return " ".join(f"{x:.1f},{y:.1f}" for x, y in self.places(line))

    def places(self, line: Line) -> list[tuple[float, float]]:
        """Return the points of a line in px."""
        return [(self._x(x), self._y(y)) for x, y in line.points]

    def _x_range(self) -> tuple[float, float]:
        values = [x for line in self.lines for x, _ in line.points]
        return _widened(min(self.x_from, *values), max(values))

    def _y_range(self) -> tuple[float, float]:
        values = [y for line in self.lines for _, y in line.points]
        low = min(0.0, *values) if self.y_from is None else self.y_from
        return _widened(low, max(values) if self.y_to is None else self.y_to)

    def _x(self, value: float) -> float:
        low, high = self._x_range()
        return LEFT + (value - low) / (high - low) * (WIDTH - LEFT - RIGHT)

    def _y(self, value: float) -> float:
        low, high = self._y_range()
        return HEIGHT - BOTTOM - (value - low) / (high - low) * (HEIGHT - TOP - BOTTOM)


def ticks(low: float, high: float) -> list[float]:
    """Return round values from `low` to `high`: steps of 1, 2 or 5 times a power of ten."""
    rough = (high - low) / TICKS
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough)
    first = math.ceil(low / step - 1e-9)
    last = math.floor(high / step + 1e-9)
    return [number * step for number in range(first, last + 1)]


def chart(
    title: str,
    axes: tuple[str, str],
    lines: Sequence[Line],
    y_range: tuple[float | None, float | None] = (None, None),
    x_from: float = 0.0,
) -> Chart | None:
    """Return a chart of the lines that have points; None if none has."""
    drawn = tuple(line for line in lines if line.points)
    return Chart(title, *axes, drawn, *y_range, x_from) if drawn else None


def _widened(low: float, high: float) -> tuple[float, float]:
    return (low, high) if high > low else (low, low + 1.0)
