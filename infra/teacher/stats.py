"""Running counts of one teacher, for progress lines and budgets; a snapshot is a plain value.

Counts are kept per endpoint and model and added up when somebody looks, which is once a second,
not once a call.  What a lane may do now (limit, breaker) comes from the permits, which may be
shared with other teachers; what was done comes from this teacher alone.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum

from infra.ledger.row import LedgerRow
from infra.teacher.permits import LaneState, PermitsState


class TeacherState(StrEnum):
    """Whether calls flow.

    running: they do.
    throttled: an endpoint answers 429 and nothing else for now.
    paused: every endpoint of some model is down; calls wait, none fails.
    """

    RUNNING = "running"
    THROTTLED = "throttled"
    PAUSED = "paused"


@dataclass(frozen=True, slots=True)
class LaneStats:
    """What one model at one endpoint did, and what it may do now.

    Attributes:
        endpoint: its name.
        model: as requests name it.
        calls: responses received and paid for.
        throttled: 429 answers.
        failed: sends that ended in any other error.
        tokens_in: prompt tokens of `calls`.
        tokens_out: completion tokens of `calls`.
        cost_usd: price of `calls`, as far as prices are known.
        latency_ms: mean of `calls`; 0 before the first.
        outcomes: `calls` by outcome.
        limit: sends at once that the endpoint seems to bear.
        in_flight: sends out now, of all who share the limits.
        breaker: `closed`, `open` or `half_open`.
        reason: why it is paused; empty if it is not.
    """

    endpoint: str
    model: str
    calls: int = 0
    throttled: int = 0
    failed: int = 0
    tokens_in: int = 0
    tokens_out: int = 0
    cost_usd: float = 0.0
    latency_ms: float = 0.0
    outcomes: Mapping[str, int] = field(default_factory=dict)
    limit: int = 0
    in_flight: int = 0
    breaker: str = "closed"
    reason: str = ""


@dataclass(frozen=True, slots=True)
class TeacherStats:
    """What a teacher did since it was opened.

    Attributes:
        calls: responses received and paid for.
        reused: answers found in the ledger or shared with someone asking at once.
        errors: requests that ended without a response.
        retries: sends beyond the first of a call.
        throttled: 429 answers.
        tokens_in: prompt tokens of `calls`.
        tokens_out: completion tokens of `calls`.
        tokens_reasoning: reasoning tokens within them.
        cost_usd: price of `calls`, as far as prices are known.
        at_risk_usd: worst case of calls sent and never answered.
        unpriced: calls whose cost is unknown.
        in_flight: calls on the wire now.
        waiting: requests waiting for leave to send or to try again.
        outcomes: `calls` by outcome.
        limit: sends at once that the endpoints in use seem to bear together.
        state: whether calls flow.
        reason: why they do not; empty if they do.
        lanes: the same per endpoint and model.
    """

    calls: int = 0
    reused: int = 0
    errors: int = 0
    retries: int = 0
    throttled: int = 0
    tokens_in: int = 0
    tokens_out: int = 0
    tokens_reasoning: int = 0
    cost_usd: float = 0.0
    at_risk_usd: float = 0.0
    unpriced: int = 0
    in_flight: int = 0
    waiting: int = 0
    outcomes: Mapping[str, int] = field(default_factory=dict)
    limit: int = 0
    state: TeacherState = TeacherState.RUNNING
    reason: str = ""
    lanes: tuple[LaneStats, ...] = ()


@dataclass(slots=True)
class LaneCounts:
    """Counts of one lane while they change."""

    calls: int = 0
    throttled: int = 0
    failed: int = 0
    tokens_in: int = 0
    tokens_out: int = 0
    tokens_reasoning: int = 0
    cost_usd: float = 0.0
    unpriced: int = 0
    latency_ms: float = 0.0
    outcomes: Counter[str] = field(default_factory=Counter)

    def paid(self, row: LedgerRow) -> None:
        """Count a response."""
        self.calls += 1
        self.tokens_in += row.tokens_in or 0
        self.tokens_out += row.tokens_out or 0
        self.tokens_reasoning += row.tokens_reasoning or 0
        self.cost_usd += row.cost_usd or 0.0
        self.unpriced += row.cost_usd is None
        self.latency_ms += row.latency_ms or 0.0
        self.outcomes[row.outcome.value] += 1


class StatsCounter:
    """Keeps the counts; changed in the engine's thread only, read from any."""

    def __init__(self) -> None:
        self.reused = self.errors = self.retries = self.in_flight = self.waiting = 0
        self._lanes: dict[tuple[str, str], LaneCounts] = {}

    def lane(self, endpoint: str, model: str) -> LaneCounts:
        """Return the counts of a lane, to be added to."""
        found = self._lanes.get((endpoint, model))
        if found is None:
            found = self._lanes[endpoint, model] = LaneCounts()
        return found

    @contextmanager
    def sending(self) -> Iterator[None]:
        """Count one more call on the wire while the block runs."""
        self.in_flight += 1
        try:
            yield
        finally:
            self.in_flight -= 1

    @contextmanager
    def pausing(self) -> Iterator[None]:
        """Count one more request that waits while the block runs."""
        self.waiting += 1
        try:
            yield
        finally:
            self.waiting -= 1

    def snapshot(self, permits: PermitsState) -> TeacherStats:
        """Return everything as values."""
        counts = [LaneCounts(), *self._lanes.copy().values()]
        outcomes: Counter[str] = Counter()
        for lane in counts:
            outcomes.update(lane.outcomes.copy())
        state, reason = _flow(permits.lanes)
        return TeacherStats(
            calls=sum(lane.calls for lane in counts),
            reused=self.reused,
            errors=self.errors,
            retries=self.retries,
            throttled=sum(lane.throttled for lane in counts),
            tokens_in=sum(lane.tokens_in for lane in counts),
            tokens_out=sum(lane.tokens_out for lane in counts),
            tokens_reasoning=sum(lane.tokens_reasoning for lane in counts),
            cost_usd=sum(lane.cost_usd for lane in counts),
            at_risk_usd=permits.at_risk_usd,
            unpriced=sum(lane.unpriced for lane in counts),
            in_flight=self.in_flight,
            waiting=self.waiting,
            outcomes=dict(outcomes),
            limit=sum(lane.limit for lane in permits.lanes),
            state=state,
            reason=reason,
            lanes=self._lane_stats(permits.lanes),
        )

    def _lane_stats(self, lanes: tuple[LaneState, ...]) -> tuple[LaneStats, ...]:
        now = {(lane.endpoint, lane.model): lane for lane in lanes}
        done = self._lanes.copy()
        return tuple(
            _lane_stats(
                now.get(name) or LaneState(*name, limit=0, in_flight=0),
                done.get(name) or LaneCounts(),
            )
            for name in dict.fromkeys([*now, *done])
        )


def _lane_stats(now: LaneState, done: LaneCounts) -> LaneStats:
    return LaneStats(
        endpoint=now.endpoint,
        model=now.model,
        calls=done.calls,
        throttled=done.throttled,
        failed=done.failed,
        tokens_in=done.tokens_in,
        tokens_out=done.tokens_out,
        cost_usd=done.cost_usd,
        latency_ms=done.latency_ms / done.calls if done.calls else 0.0,
        outcomes=dict(done.outcomes.copy()),
        limit=now.limit,
        in_flight=now.in_flight,
        breaker=now.breaker,
        reason=now.reason,
    )


def _flow(lanes: tuple[LaneState, ...]) -> tuple[TeacherState, str]:
    """Return whether calls flow: a model is stopped when all its lanes are."""
    for model in dict.fromkeys(lane.model for lane in lanes):
        own = [lane for lane in lanes if lane.model == model]
        if all(lane.breaker != "closed" for lane in own):
            return TeacherState.PAUSED, _because(own)
        if all(lane.reason for lane in own):
            return TeacherState.THROTTLED, _because(own)
    return TeacherState.RUNNING, ""


def _because(lanes: list[LaneState]) -> str:
    return "; ".join(f"{lane.endpoint}: {lane.model}: {lane.reason}" for lane in lanes)
