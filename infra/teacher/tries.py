"""How often one call was tried, what each failure counts for, and when the call is given up.

It depends on whose fault it can be.  A 429 and an endpoint that cannot be reached are never the
request's: they use up patience, not tries.  A 500 or a silence may be: a picture that crashes the
server must not be sent for ever.  The one call that finds out whether an endpoint is up again has
tries of its own, since in an outage it fails for all.
"""

import random
from dataclasses import dataclass

from infra.teacher.permits import UseKind
from infra.teacher.retry import RetryPolicy
from infra.teacher.sending import Again


@dataclass(slots=True)
class Tries:
    """What became of a call so far."""

    policy: RetryPolicy
    failures: int = 0
    failed_probes: int = 0
    throttles: int = 0
    unreachable: int = 0
    throttled_since: float | None = None

    @property
    def total(self) -> int:
        """Return how often it was sent, or tried to."""
        return self.failures + self.failed_probes + self.throttles + self.unreachable

    def add(self, again: Again, now: float) -> None:
        """Count a failure for what it may mean."""
        if again.kind is UseKind.THROTTLED:
            self.throttles += 1
            self.throttled_since = self.throttled_since or now
        elif again.kind is UseKind.UNREACHABLE:
            self.unreachable += 1
        elif again.permit.is_probe:
            self.failed_probes += 1
        else:
            self.failures += 1

    def are_spent(self, now: float) -> bool:
        """Return whether this call is given up, though others go on."""
        most, since = self.policy.attempts, self.throttled_since
        is_late = since is not None and now - since > self.policy.patience_s
        is_refused = is_late and self.throttles >= most
        return is_refused or self.failures >= most or self.failed_probes >= most

    def wait_s(self, again: Again, rng: random.Random) -> float:
        """Return how long this call stays away; what all calls wait for, the permits know."""
        if again.kind is UseKind.THROTTLED and again.wait_s is None:
            return 0.0
        tries = self.failures + self.failed_probes + self.unreachable
        return self.policy.wait_s(max(1, tries), again.wait_s, rng)
