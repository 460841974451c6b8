"""One model at one endpoint: how many sends at once, how fast, and whether at all.

Puts the four rules together: concurrency (`aimd`), both rates (`bucket`), outages (`breaker`), and
a pause after each wave of 429s that grows while nothing is answered.  A single 429 among answers
costs 50 ms; an endpoint that refuses everything is tried about every two seconds, or as seldom as
it asks for, not as fast as it can refuse.
"""

import math
from dataclasses import dataclass, field
from typing import Final

from infra.teacher.endpoints import Endpoint
from infra.teacher.pace.aimd import Aimd
from infra.teacher.pace.breaker import Breaker, BreakerState, OutagePolicy
from infra.teacher.pace.bucket import Bucket
from infra.teacher.permits import LaneState, Need, Sign, Use

BELIEVED_WAVES: Final = 3
"""Waves of 429s without an answer after which Retry-After holds for every call of the lane."""


@dataclass(frozen=True, slots=True)
class PacePolicy:
    """How a lane reacts.

    Attributes:
        pause_s: after a first wave of 429s; doubles with each further one.
        max_pause_s: no pause is longer, unless the endpoint asks for it.
        max_retry_after_s: the longest Retry-After that is believed.
        outage: when an endpoint counts as down.
    """

    pause_s: float = 0.05
    max_pause_s: float = 2.0
    max_retry_after_s: float = 300.0
    outage: OutagePolicy = field(default_factory=OutagePolicy)


@dataclass(slots=True)
class Seats:
    """Sends out at one endpoint, all its models together."""

    most: int
    taken: int = 0


@dataclass(frozen=True, slots=True)
class Sent:
    """What a lane remembers of a send."""

    at: float
    tokens: int
    is_probe: bool


class Lane:
    """The limits of one model at one endpoint; pure, times are seconds of any one clock."""

    def __init__(
        self, endpoint: Endpoint, model: str, seats: Seats, policy: PacePolicy, now: float
    ) -> None:
        self.endpoint, self.model = endpoint, model
        self.breaker = Breaker(policy.outage)
        self._policy, self._seats = policy, seats
        self._aimd = Aimd(endpoint.max_in_flight)
        self._requests = Bucket(endpoint.requests_per_minute, now)
        self._tokens = Bucket(endpoint.tokens_per_minute, now)
        self._in_flight = self._throttled = self._waves = 0
        self._paused_until = -math.inf

    @property
    def room(self) -> float:
        """Return the share of the limit that is free."""
        return 1.0 - self._in_flight / self._aimd.limit

    def wait_s(self, need: Need, now: float) -> float:
        """Return how long until the send may go: 0 is now, infinite is after another has ended."""
        is_full = self._in_flight >= self._aimd.limit or self._seats.taken >= self._seats.most
        if is_full:
            return math.inf
        return max(
            self._paused_until - now,
            self.breaker.wait_s(now),
            self._requests.wait_s(1.0, now),
            self._tokens.wait_s(need.tokens, now),
            0.0,
        )

    def send(self, need: Need, now: float) -> Sent:
        """Take what a send needs; ask `wait_s` first."""
        self._in_flight += 1
        self._seats.taken += 1
        self._requests.take(1.0, now)
        self._tokens.take(need.tokens, now)
        return Sent(now, need.tokens, self.breaker.send())

    def end(self, sent: Sent, use: Use, now: float) -> None:
        """Take in how a send ended."""
        sign = use.kind.tells
        self._settle_rates(sent, use, sign, now)
        if sign is Sign.UP:
            self._aimd.succeeded(self._in_flight)
            self._waves = 0
        elif sign is Sign.BUSY:
            self._throttle(sent, use, now)
        self._tell_breaker(sent, use, sign, now)
        self._in_flight -= 1
        self._seats.taken -= 1

    def state(self, now: float) -> LaneState:
        """Return the lane as a value."""
        paused_s = max(self._paused_until - now, self.breaker.wait_s(now), 0.0)
        is_open = self.breaker.state is not BreakerState.CLOSED
        return LaneState(
            endpoint=self.endpoint.name,
            model=self.model,
            limit=self._aimd.limit,
            in_flight=self._in_flight,
            throttled=self._throttled,
            breaker=self.breaker.state.value,
            paused_s=0.0 if math.isinf(paused_s) else paused_s,
            reason=self.breaker.reason if is_open else "HTTP 429" if self._waves else "",
        )

    def _settle_rates(self, sent: Sent, use: Use, sign: Sign, now: float) -> None:
        if sign is Sign.NOTHING and not use.kind.may_be_billed:
            self._requests.give_back(1.0, now)
        if use.tokens is not None:
            self._tokens.give_back(sent.tokens - use.tokens, now)
        elif sign is not Sign.UP and not use.kind.may_be_billed:
            self._tokens.give_back(sent.tokens, now)
        if use.headroom is not None and use.headroom.requests is not None:
            self._requests.correct(use.headroom.requests, now)
        if use.headroom is not None and use.headroom.tokens is not None:
            self._tokens.correct(use.headroom.tokens, now)

    def _throttle(self, sent: Sent, use: Use, now: float) -> None:
        self._throttled += 1
        if not self._aimd.throttled(sent.at, now):
            return
        self._waves += 1
        policy = self._policy
        pause_s = min(policy.max_pause_s, policy.pause_s * 2.0 ** min(self._waves - 1, 16))
        if self._waves >= BELIEVED_WAVES:
            pause_s = max(pause_s, min(use.retry_after_s or 0.0, policy.max_retry_after_s))
        self._paused_until = now + pause_s

    def _tell_breaker(self, sent: Sent, use: Use, sign: Sign, now: float) -> None:
        if sign is Sign.DOWN:
            self.breaker.failed(now, use.detail or use.kind.value, is_probe=sent.is_probe)
        elif sign is not Sign.NOTHING:
            self.breaker.answered()
        elif sent.is_probe:
            self.breaker.unproven()
