"""Requests and tokens per minute as OpenAI enforces them: buckets that refill evenly.

A request is counted before it is answered, with its prompt or the limit of its reply, whichever is
larger (OpenAI, "Rate limits": the maximum of `max_tokens` and the estimated number of tokens); what
it used less is not given back.  A request refused by one limit is not counted by the other.
"""

import math
from dataclasses import dataclass

from infra.embedded_teacher.misbehaviour import Misbehaviour

Headers = tuple[tuple[bytes, bytes], ...]


@dataclass(slots=True)
class _Bucket:
    """One limit; `left` at the time `at_s`."""

    name: str
    per_minute: int
    capacity: float
    left: float
    at_s: float = 0.0

    def refill(self, now_s: float) -> None:
        self.left = min(self.capacity, self.left + (now_s - self.at_s) * self.per_minute / 60)
        self.at_s = now_s

    def wait_s(self, amount: float) -> float:
        return max(0.0, self._needed(amount) - self.left) * 60 / self.per_minute

    def take(self, amount: float) -> None:
        self.left -= self._needed(amount)

    def _needed(self, amount: float) -> float:
        """A request above the limit waits for a full bucket instead of for ever."""
        return min(amount, self.capacity)

    @property
    def headers(self) -> Headers:
        full_in_s = (self.capacity - self.left) * 60 / self.per_minute
        told = {
            "limit": str(self.per_minute),
            "remaining": str(math.floor(self.left)),
            "reset": duration(full_in_s),
        }
        return tuple((f"x-ratelimit-{k}-{self.name}".encode(), v.encode()) for k, v in told.items())


class Rates:
    """The limits of one model; all times in seconds of one clock."""

    def __init__(self, trouble: Misbehaviour) -> None:
        limits = {"requests": trouble.requests_per_minute, "tokens": trouble.tokens_per_minute}
        self._buckets = [
            _Bucket(name, limit, capacity := max(1.0, limit * trouble.burst_s / 60), capacity)
            for name, limit in limits.items()
            if limit is not None
        ]

    def take(self, tokens: int, now_s: float) -> tuple[str, float] | None:
        """Count a request, or return which limit refuses it and for how many seconds."""
        amounts = {"requests": 1, "tokens": tokens}
        for bucket in self._buckets:
            bucket.refill(now_s)
        waits = [(bucket.wait_s(amounts[bucket.name]), bucket.name) for bucket in self._buckets]
        wait_s, name = max(waits, default=(0.0, ""))
        if wait_s > 0:
            return name, wait_s
        for bucket in self._buckets:
            bucket.take(amounts[bucket.name])
        return None

    @property
    def headers(self) -> Headers:
        """Return what is left of each limit, in headers; empty without limits."""
        return tuple(header for bucket in self._buckets for header in bucket.headers)


def duration(seconds: float) -> str:
    """Return a time as these headers write it: `120ms`, `1.5s`, `6m0s`."""
    if seconds < 1:
        return f"{math.ceil(seconds * 1000)}ms"
    if seconds < 60:  # noqa: PLR2004 - seconds of a minute
        return f"{seconds:.3g}s"
    minutes, rest = divmod(math.ceil(seconds), 60)
    return f"{minutes}m{rest}s"
