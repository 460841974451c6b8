"""The counts of several teachers that share their limits, as those of one.

What was done is added up; what may be done now (limit, breaker, pauses, money at risk) is known in
one place for all of them, so it is taken from there and never added.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Final

from infra.teacher.permits import PermitsState
from infra.teacher.stats import LaneStats, StatsCounter, TeacherStats

ADDED: Final = (
    "calls", "reused", "errors", "retries", "throttled", "tokens_in", "tokens_out",
    "tokens_reasoning", "cost_usd", "unpriced", "in_flight", "waiting",
)  # fmt: skip
ADDED_PER_LANE: Final = ("calls", "throttled", "failed", "tokens_in", "tokens_out", "cost_usd")


def merged(parts: Iterable[TeacherStats], permits: PermitsState) -> TeacherStats:
    """Return the sum of `parts` under the limits that all of them share."""
    teachers = list(parts)
    limits = StatsCounter().snapshot(permits)
    lanes = {(lane.endpoint, lane.model): lane for lane in limits.lanes}
    for lane in (lane for teacher in teachers for lane in teacher.lanes):
        name = (lane.endpoint, lane.model)
        lanes[name] = _added(lanes.get(name) or LaneStats(*name), lane)
    return replace(
        limits,
        **{name: sum(getattr(teacher, name) for teacher in teachers) for name in ADDED},
        outcomes=_counted(teacher.outcomes for teacher in teachers),
        lanes=tuple(lanes.values()),
    )


def _added(lane: LaneStats, part: LaneStats) -> LaneStats:
    """Return `lane` with what a part of it did; its limits stay."""
    calls = lane.calls + part.calls
    spent_ms = lane.latency_ms * lane.calls + part.latency_ms * part.calls
    return replace(
        lane,
        **{name: getattr(lane, name) + getattr(part, name) for name in ADDED_PER_LANE},
        latency_ms=spent_ms / calls if calls else 0.0,
        outcomes=_counted([lane.outcomes, part.outcomes]),
    )


def _counted(outcomes: Iterable[Mapping[str, int]]) -> dict[str, int]:
    total: Counter[str] = Counter()
    for each in outcomes:
        total.update(each)
    return dict(total)
