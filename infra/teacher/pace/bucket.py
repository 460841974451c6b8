"""A rate as a bucket that fills steadily: requests or tokens per minute.

Own code, since none of the kept libraries fits: `aiolimiter` and `pyrate-limiter` sleep inside
`acquire`, so a call would wait for one rate while it holds its place in another, and neither
gives back what a call did not use, nor takes an endpoint's word for what is left.  This one never
sleeps: it says when there will be enough.  A need above the whole capacity waits for a full
bucket, otherwise it would wait for ever.
"""

import math
from typing import Final

from infra.teacher.permits import Allowance

MINUTE_S: Final = 60.0
ROUNDING: Final = 1e-6
"""So much may be missing: sums of fractions never quite reach a whole number."""


class Bucket:
    """What may still be sent; times are seconds of any one clock.

    Args:
        per_minute: null is no limit, until the endpoint states one.
        now: the bucket is full then.
    """

    def __init__(self, per_minute: float | None, now: float) -> None:
        self._capacity = math.inf if per_minute is None else float(per_minute)
        self._rate = self._capacity / MINUTE_S
        self._level, self._at = self._capacity, now
        self._is_stated = per_minute is None

    def wait_s(self, amount: float, now: float) -> float:
        """Return how long until `amount` may be taken; 0 is now."""
        missing = min(amount, self._capacity) - self._filled(now)
        if missing <= ROUNDING:
            return 0.0
        return missing / self._rate if self._rate > 0.0 else math.inf

    def take(self, amount: float, now: float) -> None:
        """Take `amount`; more than there is leaves a debt."""
        self._level = self._filled(now) - amount

    def give_back(self, amount: float, now: float) -> None:
        """Return what was taken and not used; a negative amount takes what was used beyond it."""
        self._level = min(self._capacity, self._filled(now) + amount)

    def correct(self, allowance: Allowance, now: float) -> None:
        """Believe the endpoint where it says that less is left than we thought.

        Sends on the way are not in its figure, so it never raises the level.  Some count by day
        under the same names: then what fills the rest by `reset_s` is less than `limit` a minute.
        """
        limit, remaining, reset_s = allowance.limit, allowance.remaining, allowance.reset_s
        level = self._filled(now)
        if self._is_stated and limit:
            level = min(level, limit)
            self._capacity = limit
            self._rate = limit / MINUTE_S
        if self._is_stated and limit and reset_s and remaining < limit:
            self._rate = min(self._rate, (limit - remaining) / reset_s)
        if self._capacity < math.inf:
            self._level = min(level, remaining)

    def _filled(self, now: float) -> float:
        """Return the level at `now`; a clock that stands still or steps back fills nothing."""
        if now > self._at:
            if self._level < self._capacity:
                self._level = min(self._capacity, self._level + (now - self._at) * self._rate)
            self._at = now
        return self._level
