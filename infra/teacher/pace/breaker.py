"""When an endpoint counts as down, and how it is found to be up again.

A breaker (Nygard, Release It!) for callers that wait: while it is open nobody fails, one call at
a time tries, at growing intervals, and any answer closes it.  A 429 is an answer.  Failures of
calls that were sent before it opened change nothing.  An endpoint that never answered is more
likely a wrong address than an outage, so it gets a few tries instead of minutes.

Own code: `purgatory` and `aiobreaker` raise at the caller while open and cannot be asked when to
come back.  Pure; times are seconds of any one clock.
"""

import math
from dataclasses import dataclass
from enum import StrEnum


@dataclass(frozen=True, slots=True)
class OutagePolicy:
    """When an endpoint is down and how long it may be.

    Attributes:
        threshold: failures in a row, with no answer between, that open the breaker.
        first_wait_s: until the first try; doubles with each that fails.
        max_wait_s: no wait is longer.
        patience_s: how long an endpoint that has answered before may be down.
        cold_tries: failed tries after which one that never answered is given up.
    """

    threshold: int = 5
    first_wait_s: float = 1.0
    max_wait_s: float = 30.0
    patience_s: float = 1800.0
    cold_tries: int = 3


class BreakerState(StrEnum):
    """Closed lets everyone through, open nobody, half-open one."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


class Breaker:
    """The breaker of one lane."""

    def __init__(self, policy: OutagePolicy) -> None:
        self._policy = policy
        self._state = BreakerState.CLOSED
        self._failures = self._failed_tries = 0
        self._is_warm = False
        self._failing_since = self._retry_at = math.inf
        self.reason = ""

    @property
    def state(self) -> BreakerState:
        """Return the state as of the last event."""
        return self._state

    def wait_s(self, now: float) -> float:
        """Return how long until a send is allowed: 0 is now, infinite while a try is out."""
        if self._state is BreakerState.CLOSED:
            return 0.0
        return math.inf if self._state is BreakerState.HALF_OPEN else max(0.0, self._retry_at - now)

    def send(self) -> bool:
        """Note a send; return whether it is the one that finds out."""
        if self._state is BreakerState.CLOSED:
            return False
        self._state = BreakerState.HALF_OPEN
        return True

    def answered(self) -> None:
        """Note an answer, whoever asked and whatever it says."""
        self._state, self._is_warm = BreakerState.CLOSED, True
        self._failures = self._failed_tries = 0
        self._failing_since = math.inf

    def failed(self, now: float, reason: str, *, is_probe: bool) -> None:
        """Note a failure; one that is no probe counts only while the breaker is closed."""
        self.reason = reason
        self._failing_since = min(self._failing_since, now)
        if self._state is BreakerState.CLOSED:
            self._failures += 1
            if self._failures >= self._policy.threshold:
                self._open(now)
        elif is_probe:
            self._failed_tries += 1
            self._open(now)

    def unproven(self) -> None:
        """Note that the one who should find out never sent; the next may."""
        if self._state is BreakerState.HALF_OPEN:
            self._state = BreakerState.OPEN

    def is_hopeless(self, now: float) -> bool:
        """Return whether waiting on makes no sense."""
        if self._state is BreakerState.CLOSED:
            return False
        if not self._is_warm:
            return self._failed_tries >= self._policy.cold_tries
        return self._failed_tries > 0 and now - self._failing_since > self._policy.patience_s

    def down_s(self, now: float) -> float:
        """Return for how long nothing but failures came."""
        return max(0.0, now - self._failing_since)

    def _open(self, now: float) -> None:
        self._state = BreakerState.OPEN
        wait_s = self._policy.first_wait_s * 2.0 ** min(self._failed_tries, 16)
        self._retry_at = now + min(self._policy.max_wait_s, wait_s)
