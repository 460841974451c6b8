"""What a pilot found, as text for people and as JSON beside its rows.

A price or a duration is that of the pilot itself: a full build keeps the endpoint busier and its
parts larger, so the times are what the work amounts to, not a promise.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from tasks.pilot.projection import Estimate, Projection

FEW_ROWS = 30
"""Below this the intervals are rough, and the text says so."""


@dataclass(frozen=True, slots=True)
class StageYield:
    """How many of the rows seen reach one stage, with Wilson's 95 % interval in percent."""

    stage: str
    rows: int
    percent: float
    percent_low: float
    percent_high: float


@dataclass(frozen=True, slots=True)
class StepTime:
    """How long the parts of one step took, added up."""

    step: str
    seconds: float


@dataclass(frozen=True, slots=True)
class PilotReport:
    """What a pilot found.

    Attributes:
        lake: where its rows are.
        rows: source rows it took.
        calls: about them, whenever bought.
        calls_bought: of these, bought by this build.
        mean_call_s: of the calls; null without calls.
        calls_at_once: most calls in flight in a build.
        stages: how far the rows came.
        steps: time of the steps that ask nobody.
        projection: what the whole source gives; null if the pilot has no rows.
    """

    recipe: str
    recipe_identity: str
    lake: str
    rows: int
    calls: int
    calls_bought: int
    mean_call_s: float | None
    calls_at_once: int
    stages: tuple[StageYield, ...]
    steps: tuple[StepTime, ...]
    projection: Projection | None

    def as_json(self) -> dict[str, Any]:
        """Return the report as JSON values."""
        return asdict(self)

    def text(self) -> str:
        """Return the report as lines for people."""
        lines = [f"Pilot of {self.recipe}: {self.rows} source rows, in {self.lake}"]
        lines += _stage_lines(self.stages)
        lines.append(f"  {self.calls} calls, {self.calls_bought} of them bought by this build")
        if self.projection is not None:
            lines += _projected(self.projection)
            lines += self._times(self.projection)
        if self.rows < FEW_ROWS:
            lines.append(f"  under {FEW_ROWS} rows the intervals are rough: take a larger pilot")
        return "\n".join(lines)

    def _times(self, projection: Projection) -> list[str]:
        lines = []
        if self.mean_call_s is not None:
            seconds = projection.calls.value * self.mean_call_s / self.calls_at_once
            lines.append(
                f"  teacher: at least {duration(seconds)} at {self.calls_at_once} calls at once, "
                f"{self.mean_call_s:.2f} s each"
            )
        factor = projection.rows / self.rows
        work = [f"{s.step} {duration(s.seconds * factor)}" for s in self.steps if s.seconds]
        return [*lines, f"  other work, parts added up: {', '.join(work)}"] if work else lines


def _stage_lines(stages: Sequence[StageYield]) -> list[str]:
    width = max((len(s.stage) for s in stages), default=0)
    return [
        f"  {s.stage:{width}}  {s.rows:>6}  {s.percent:5.1f} % "
        f"({s.percent_low:.1f} to {s.percent_high:.1f})"
        for s in stages
    ]


def _projected(found: Projection) -> list[str]:
    lines = [
        f"The whole source, {found.rows} rows, gives (95 % intervals):",
        f"  {_counted(found.accepted)} accepted rows for {_priced(found.cost_usd)}",
        f"  {_counted(found.calls)} calls, those bought already included",
    ]
    if found.usd_per_accepted is not None:
        lines.append(f"  {_priced(found.usd_per_accepted, 6)} per accepted row")
    return lines


def _counted(figure: Estimate) -> str:
    return f"{figure.value:.0f} ({figure.low:.0f} to {figure.high:.0f})"


def _priced(figure: Estimate | None, digits: int = 2) -> str:
    if figure is None:
        return "an unknown price"
    return f"${figure.value:.{digits}f} (${figure.low:.{digits}f} to ${figure.high:.{digits}f})"


def duration(seconds: float) -> str:
    """Return a duration in the largest unit that leaves at least 2 of it."""
    for unit, length in (("h", 3600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds:.0f} s"
