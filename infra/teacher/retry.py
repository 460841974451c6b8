"""When to try a call again, and how long to wait first.

Our own loop, not a library's: while waiting a call must hold no permit, a Retry-After beats the
schedule, and a throttled call (429) is the endpoint asking for patience, not a failure: it is
bounded by time, the others by attempts.  Full jitter, as in "Exponential Backoff
And Jitter" (AWS Architecture Blog, 2015), keeps callers from coming back together.
"""

import random
from dataclasses import dataclass
from typing import Final

RETRYABLE_STATUS: Final = frozenset({408, 409, 425, 429})
FATAL_STATUS: Final = frozenset({401, 402, 403, 404})
"""Wrong key, no credit, no access, unknown model or path: true of every row, so the run stops."""
THROTTLED: Final = 429
SERVER_ERROR: Final = 500


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """Bounds of trying again.

    Attributes:
        attempts: sends per call that may fail by server error, timeout or disconnect.
        patience_s: how long a throttled call goes on trying.
        base_s: mean wait after the first failure is half of it; doubles with each further one.
        max_wait_s: no wait is longer, unless the endpoint asks for it.
        max_retry_after_s: the longest Retry-After that is believed.
    """

    attempts: int = 5
    patience_s: float = 600.0
    base_s: float = 1.0
    max_wait_s: float = 30.0
    max_retry_after_s: float = 300.0

    def wait_s(self, failures: int, retry_after_s: float | None, rng: random.Random) -> float:
        """Return how long to wait after the `failures`-th failure (from 1).

        The endpoint's own figure is a minimum; up to a quarter is added so that all who were told
        the same second do not return in it.
        """
        if retry_after_s is not None:
            asked_s = min(max(retry_after_s, 0.0), self.max_retry_after_s)
            return asked_s + rng.uniform(0.0, 0.25 * asked_s + 0.05)
        ceiling_s = min(self.max_wait_s, self.base_s * 2.0 ** min(failures - 1, 16))
        return rng.uniform(0.05 * ceiling_s, ceiling_s)


def may_retry(status: int) -> bool:
    """Return whether the same request may succeed later."""
    return status in RETRYABLE_STATUS or status >= SERVER_ERROR
