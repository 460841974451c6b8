"""How many sends an endpoint bears at once, found out by trying: AIMD with a memory.

TCP's rule (RFC 5681): grow while answers come, shrink when a 429 says it was too much.  Three
additions matter for endpoints.  One wave of 429s is one event: sends from before the last decrease
do not count again.  The limit that was too much is remembered (as in CUBIC, RFC 9438): below it
growth is quick, around it slow, above it quick again, so the limit stays near the endpoint's own
and finds it anew after a bad hour.  And two waves without an answer between them mean that nothing
is let through, so only one send at a time tries on.

Pure and without a clock of its own; times are seconds of any one clock.
"""

from typing import Final

START: Final = 32
"""High enough that a run of a few hundred calls is not spent growing; 512 is 4 doublings away."""
DECREASE: Final = 0.85
PLATEAU: Final = 0.03
"""Within this share of the remembered ceiling, or one send of it, growth is slow."""
PLATEAU_STEP: Final = 0.0025
"""Growth per window there, as a share of the ceiling; and at least the next."""
LEAST_STEP: Final = 0.2


class Aimd:
    """The limit of one lane; a window is as many answers as the limit."""

    def __init__(self, most: int, start: int = START) -> None:
        self._most = float(most)
        self._limit = float(min(start, most))
        self._ceiling: float | None = None
        self._probe_step = 1.0
        self._decreased_at = float("-inf")
        self._answered_since = True
        self._has_grown = False

    @property
    def limit(self) -> int:
        """Return how many sends may be out at once; at least 1."""
        return int(self._limit)

    def succeeded(self, in_flight: int) -> None:
        """Take in an answer, `in_flight` sends being out when it came.

        A limit that is not used proves nothing, so it does not grow.
        """
        self._answered_since = True
        if 2 * in_flight >= self._limit:
            self._has_grown = True
            self._limit = min(self._most, self._limit + self._step() / self._limit)

    def throttled(self, sent_at: float, now: float) -> bool:
        """Take in a 429 to a send of `sent_at`; return whether it is news, not the same wave.

        A limit that was lowered and is still too much is no new ceiling: the endpoint has a bad
        minute, and the old ceiling is where to go back to.
        """
        if sent_at < self._decreased_at:
            return False
        self._decreased_at = now
        if self._answered_since:
            if self._has_grown or self._ceiling is None:
                self._ceiling = self._limit
            self._limit = max(1.0, self._limit * DECREASE)
        else:
            self._limit = 1.0
        self._answered_since, self._has_grown, self._probe_step = False, False, 1.0
        return True

    def _step(self) -> float:
        """Return how much the limit grows in one window."""
        if self._ceiling is None:
            return self._limit
        width = max(1.0, PLATEAU * self._ceiling)
        below = self._ceiling - self._limit
        if below > width:
            return max(1.0, min(self._limit, below / 2.0))
        if below >= -width:
            return max(LEAST_STEP, PLATEAU_STEP * self._ceiling)
        self._probe_step += self._probe_step / self._limit
        return self._probe_step
