"""Who may send a call, now, and where: the seam between the engine and its limits.

Every call is two messages: `acquire` before it is sent, `settle` when it is over, whatever became
of it.  Both carry plain picklable values, so the limits of a run may live in this process or in
one place that many workers share.  A permit stands for one send, not for one call: a call that
waits to be tried again holds none.  What a `Use` says has two sides that are easy to mix up: what
it cost (`is_billed`) and what it tells about the endpoint (`tells`).
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from sightline.errors import SightlineError


class Sign(StrEnum):
    """What the end of a send tells about the endpoint."""

    UP = "up"
    BUSY = "busy"
    DOWN = "down"
    NOTHING = "nothing"


class UseKind(StrEnum):
    """How a send ended.

    answered: a completion came; it is billed.
    refused: the endpoint answers, but not to this request (4xx); free.
    throttled: the endpoint asks for patience (429); free.
    failed: the endpoint answered with an error of its own (5xx, no completion); free.
    unreachable: no connection was made; free.
    unsent: nothing was sent, for reasons of our own; free.
    lost: it was sent and no whole answer came (timeout, disconnect); it may be billed.
    abandoned: whoever held the permit is gone; the call may be billed.
    """

    ANSWERED = "answered"
    REFUSED = "refused"
    THROTTLED = "throttled"
    FAILED = "failed"
    UNREACHABLE = "unreachable"
    UNSENT = "unsent"
    LOST = "lost"
    ABANDONED = "abandoned"

    @property
    def tells(self) -> Sign:
        """Return what it tells about the endpoint."""
        return _SIGNS.get(self, Sign.NOTHING)

    @property
    def may_be_billed(self) -> bool:
        """Return whether the call keeps its worst case, because nobody knows what it cost."""
        return self in {UseKind.LOST, UseKind.ABANDONED}


_SIGNS = {
    UseKind.ANSWERED: Sign.UP,
    UseKind.REFUSED: Sign.UP,
    UseKind.THROTTLED: Sign.BUSY,
    UseKind.FAILED: Sign.DOWN,
    UseKind.UNREACHABLE: Sign.DOWN,
    UseKind.LOST: Sign.DOWN,
}


@dataclass(frozen=True, slots=True)
class Need:
    """What one send asks for.

    Attributes:
        model: as the request names it.
        tokens: prompt and reply together, estimated; the token rate is corrected by `Use.tokens`.
        worst_case_usd: the most it can cost; 0 without a dollar cap.
        avoid: endpoint where this call failed before; another one is preferred.
    """

    model: str
    tokens: int = 0
    worst_case_usd: float = 0.0
    avoid: str | None = None


@dataclass(frozen=True, slots=True)
class Permit:
    """Leave to send one call.

    Attributes:
        number: unique among the permits of one gatekeeper.
        endpoint: name of the endpoint to send it to.
        is_probe: the endpoint was down, and this call finds out whether it still is.
    """

    number: int
    endpoint: str
    is_probe: bool = False


@dataclass(frozen=True, slots=True)
class Allowance:
    """What an endpoint says is left of one of its rates.

    Attributes:
        limit: requests or tokens per window; null if it does not say.
        remaining: how many are left now.
        reset_s: seconds until `limit` are left again; null if it does not say.
    """

    remaining: float
    limit: float | None = None
    reset_s: float | None = None


@dataclass(frozen=True, slots=True)
class Headroom:
    """Both rates as the headers of one answer state them; null where they do not."""

    requests: Allowance | None = None
    tokens: Allowance | None = None


@dataclass(frozen=True, slots=True)
class Use:
    """How a send ended and what the answer says about the endpoint.

    Attributes:
        kind: see `UseKind`.
        cost_usd: price of an answer; null if its model has none listed.
        tokens: prompt and reply together as billed; null if the endpoint did not count.
        retry_after_s: wait that a throttled answer asks for.
        latency_s: from send to answer; null if there was none.
        headroom: what the rate headers say; null if there are none.
        detail: why it failed, in a few words, for messages; empty if it did not.
    """

    kind: UseKind
    cost_usd: float | None = None
    tokens: int | None = None
    retry_after_s: float | None = None
    latency_s: float | None = None
    headroom: Headroom | None = None
    detail: str = ""


@dataclass(frozen=True, slots=True)
class LaneState:
    """One model at one endpoint, now.

    Attributes:
        endpoint: its name.
        model: as requests name it.
        limit: sends at once that the endpoint seems to bear.
        in_flight: permits out.
        throttled: 429 answers so far.
        breaker: `closed`, `open` (the endpoint is down) or `half_open` (one call finds out).
        paused_s: seconds until it is tried again, 0 if it is not paused.
        reason: why it is paused; empty if it is not.
    """

    endpoint: str
    model: str
    limit: int
    in_flight: int
    throttled: int = 0
    breaker: str = "closed"
    paused_s: float = 0.0
    reason: str = ""


@dataclass(frozen=True, slots=True)
class PermitsState:
    """Every lane that was used so far, and the money: for progress lines."""

    lanes: tuple[LaneState, ...] = ()
    spent_usd: float = 0.0
    at_risk_usd: float = 0.0
    calls: int = 0


class Permits(Protocol):
    """Hands out leave to send; used from one event loop."""

    async def acquire(self, need: Need) -> Permit:
        """Wait for a slot, both rates, a working endpoint and the budget; reserve them.

        Waiters of one model are served in their order.  Cancelling a waiter is safe: a permit
        that was granted meanwhile is given back.

        Raises:
            BudgetError: the call would cross a cap; so would every later one.
            TeacherError: every endpoint of the model was out of order for too long.
            UsageError: no endpoint serves the model.
        """
        ...

    def settle(self, permit: Permit, use: Use) -> None:
        """End a permit; exactly once for each that was acquired."""
        ...

    def stop(self, error: SightlineError) -> None:
        """Make those who wait here, and all who come, end with `error`; permits out stay valid."""
        ...

    @property
    def state(self) -> PermitsState:
        """Return what is known now; cheap, and safe from any thread."""
        ...
