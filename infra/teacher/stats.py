"""Running counts of one teacher, for progress lines and budgets; a snapshot is a plain value."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace


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
        waiting: requests waiting for a slot, for budget or to try again.
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


class StatsCounter:
    """Keeps the counts; changed in the engine's thread only, read from any."""

    def __init__(self) -> None:
        self.now = TeacherStats()

    def add(self, **changes: float) -> None:
        """Add to fields of `TeacherStats` by name."""
        now = self.now
        self.now = replace(now, **{name: getattr(now, name) + n for name, n in changes.items()})

    @contextmanager
    def held(self, name: str) -> Iterator[None]:
        """Count one more of `name` while the block runs."""
        self.add(**{name: 1})
        try:
            yield
        finally:
            self.add(**{name: -1})
