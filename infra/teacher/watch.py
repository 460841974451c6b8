"""What a person is told of a teacher while it works: rates from snapshots, one line, one page.

Rates are those of the last `WINDOW_S`, not of the whole run: after a pause or a throttle, a mean
since the start says neither how fast it goes now nor when it will be done.
"""

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from infra.teacher.budget import Caps
from infra.teacher.stats import LaneStats, TeacherState, TeacherStats

WINDOW_S: Final = 30.0
KILO, MEGA = 1_000, 1_000_000

ReadStats = Callable[[], TeacherStats | None]
"""Gives the counts so far; null before anything was asked."""


@dataclass(frozen=True, slots=True)
class Look:
    """The counts at one moment, and how fast they grow."""

    stats: TeacherStats
    calls_per_s: float

    def cells(self, caps: Caps) -> tuple[str, ...]:
        """Return the figures as text, as many as a line of progress has."""
        stats = self.stats
        return (
            f"{stats.calls} calls" + (f" ({stats.reused} reused)" if stats.reused else ""),
            f"{self.calls_per_s:.1f} calls/s",
            f"{stats.in_flight}/{stats.limit} in flight, {stats.waiting} waiting",
            _troubles(stats),
            f"{count(stats.tokens_in)} + {count(stats.tokens_out)} tokens, {spent(stats, caps)}",
            "" if stats.state is TeacherState.RUNNING else f"{stats.state}: {stats.reason}",
        )

    def page(self, caps: Caps) -> str:
        """Return the counts as Markdown: the whole, and a row per model and endpoint."""
        whole = "\n".join(f"- {cell}" for cell in self.cells(caps) if cell)
        outcomes = ", ".join(f"{n} {name}" for name, n in sorted(self.stats.outcomes.items()))
        lanes = "\n".join(_lane(lane) for lane in self.stats.lanes)
        return f"{whole}\n- outcomes: {outcomes or 'none yet'}\n\n{LANES}\n{lanes}\n"


LANES: Final = (
    "| model | endpoint | calls | mean ms | in flight | limit | 429 | failed | dollars | state |\n"
    "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |"
)


@dataclass(slots=True)
class TeacherWatch:
    """Looks at a teacher now and then; safe to call from several threads."""

    read: ReadStats
    caps: Caps
    clock: Callable[[], float] = time.monotonic
    _seen: deque[tuple[float, int]] = field(default_factory=deque)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def look(self) -> Look | None:
        """Return how things stand; null before anything was asked."""
        stats = self.read()
        if stats is None:
            return None
        now = self.clock()
        with self._lock:
            self._seen.append((now, stats.calls))
            while len(self._seen) > 2 and now - self._seen[1][0] >= WINDOW_S:  # noqa: PLR2004
                self._seen.popleft()
            began, before = self._seen[0]
        seconds = now - began
        return Look(stats, (stats.calls - before) / seconds if seconds > 0 else 0.0)

    def cells(self) -> tuple[str, ...] | None:
        """Return the line of progress; null before anything was asked."""
        look = self.look()
        return None if look is None else look.cells(self.caps)


def spent(stats: TeacherStats, caps: Caps) -> str:
    """Return the dollars spent, with what is unknown or at risk, and the cap."""
    text = f"${stats.cost_usd:.4f}"
    if caps.usd is not None:
        text += f" of ${caps.usd:g}"
    if stats.at_risk_usd:
        text += f", ${stats.at_risk_usd:.4f} at risk"
    if stats.unpriced:
        text += f", {stats.unpriced} calls without a price"
    return text if caps.calls is None else f"{text}, cap {caps.calls} calls"


def count(number: int) -> str:
    """Return a number as people say it: 950, 1.2k, 3.4M."""
    for size, letter in ((MEGA, "M"), (KILO, "k")):
        if number >= size:
            return f"{number / size:.1f}{letter}"
    return str(number)


def _troubles(stats: TeacherStats) -> str:
    told = ((stats.throttled, "throttled"), (stats.retries, "retries"), (stats.errors, "errors"))
    return ", ".join(f"{n} {what}" for n, what in told if n)


def _lane(lane: LaneStats) -> str:
    state = lane.reason or ("ok" if lane.breaker == "closed" else lane.breaker)
    cells = (
        lane.model,
        lane.endpoint,
        lane.calls,
        f"{lane.latency_ms:.0f}",
        lane.in_flight,
        lane.limit,
        lane.throttled,
        lane.failed,
        f"{lane.cost_usd:.4f}",
        state.replace("|", "/"),
    )
    return f"| {' | '.join(map(str, cells))} |"
