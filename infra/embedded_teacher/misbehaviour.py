"""How the embedded teacher behaves and goes wrong, and the hash that decides when.

Nothing is drawn at random.  Trouble on the wire (429, 500, disconnect, latency) is decided by the
request body *and* the number of times it was tried, so a retry may succeed.  Trouble in the reply
(wrong, refused, cut, empty) is decided by the request alone, so a dataset comes out the same
however often the wire failed on the way.  Only rates and windows go by the clock.
"""

import hashlib
import math
import statistics
from dataclasses import dataclass, fields
from typing import Any, Final, Literal, Self, get_args

from sightline.errors import UsageError

Thinking = Literal["none", "field", "tags", "kimi"]

_NORMAL: Final = statistics.NormalDist()
_SHARES: Final = frozenset(
    {
        "throttle_share",
        "server_error_share",
        "disconnect_before_share",
        "disconnect_within_share",
        "truncation_share",
        "malformed_share",
        "malformed_again_share",
        "refusal_share",
        "empty_share",
        "wrong_answer_share",
        "wrong_box_share",
        "batch_error_share",
        "batch_expire_share",
    }
)
_WINDOWS: Final = ("throttle_window", "outage_window")


def chance(*parts: str) -> float:
    """Return a number in (0, 1) that depends on `parts` alone."""
    digest = hashlib.sha256("\x1f".join(parts).encode("utf-8", "surrogatepass")).digest()
    return (int.from_bytes(digest[:8]) + 0.5) / 2**64


@dataclass(frozen=True, slots=True)
class Misbehaviour:
    """Shares of requests, each in [0, 1], unless a name says otherwise.

    Attributes:
        latency_ms: median time to answer.
        latency_sigma: sigma of the log-normal latency; 0 is constant.
        throttle_above: 429 while more requests than this are being answered; null is never.
        throttle_share: status 429 whatever the load.
        retry_after_s: what 429 answers ask for; null sends no Retry-After.
        server_error_share: status 500.
        disconnect_before_share: the connection is cut before any answer.
        disconnect_within_share: the connection is cut in the middle of the answer.
        truncation_share: the reply is cut, finish_reason `length`.
        malformed_share: the reply is no valid JSON; a repair turn is answered well-formed.
        malformed_again_share: a repair turn is answered with no valid JSON either.
        refusal_share: the reply is a refusal.
        empty_share: the reply is empty.
        wrong_answer_share: the answer is wrong.
        wrong_box_share: the RoI is off target, of no size, or in 0..1000.
        thinking: whether the reply thinks first: in `reasoning_content`, in tags before the reply
            as most models write them, or as Kimi does.
        blind: images are ignored, as by a server whose model has no vision tower.
        structured: `response_format` is honoured; else it is ignored.
        requests_per_minute: 429 beyond; null is no limit. Both limits are told in headers.
        tokens_per_minute: 429 beyond; a request counts its prompt or its limit, the larger.
        burst_s: how much of the rates may be used at once, in seconds.
        throttle_window: 429 from one second to another, counted from the first request.
        outage_window: 503 from one second to another, counted from the first request.
        batch_seconds: time a batch takes from its creation to its end.
        batch_error_share: status 500 for a request of a batch.
        batch_expire_share: a request of a batch is never executed; the batch ends as expired.
        batch_fail_validation: every batch is refused.
        batch_max_requests: a batch of more is refused.
        batch_max_bytes: a batch input of more is refused.
    """

    latency_ms: float = 0.0
    latency_sigma: float = 0.0
    throttle_above: int | None = None
    throttle_share: float = 0.0
    retry_after_s: float | None = 1.0
    server_error_share: float = 0.0
    disconnect_before_share: float = 0.0
    disconnect_within_share: float = 0.0
    truncation_share: float = 0.0
    malformed_share: float = 0.0
    malformed_again_share: float = 0.0
    refusal_share: float = 0.0
    empty_share: float = 0.0
    wrong_answer_share: float = 0.0
    wrong_box_share: float = 0.0
    thinking: Thinking = "none"
    blind: bool = False
    structured: bool = True
    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None
    burst_s: float = 60.0
    throttle_window: tuple[float, float] | None = None
    outage_window: tuple[float, float] | None = None
    batch_seconds: float = 0.0
    batch_error_share: float = 0.0
    batch_expire_share: float = 0.0
    batch_fail_validation: bool = False
    batch_max_requests: int = 50_000
    batch_max_bytes: int = 200_000_000

    def __post_init__(self) -> None:
        for name in sorted(_SHARES):
            if not 0.0 <= getattr(self, name) <= 1.0:
                msg = f"{name}: expected a share from 0 to 1, found {getattr(self, name)!r}"
                raise UsageError(msg)
        for name in ("latency_ms", "latency_sigma", "batch_seconds"):
            if getattr(self, name) < 0:
                msg = f"{name}: must not be negative, found {getattr(self, name)!r}"
                raise UsageError(msg)
        for name in ("requests_per_minute", "tokens_per_minute", "burst_s"):
            if (value := getattr(self, name)) is not None and value <= 0:
                msg = f"{name}: must be above 0, found {value!r}"
                raise UsageError(msg)
        if self.thinking not in get_args(Thinking):
            msg = f"thinking: expected one of {get_args(Thinking)}, found {self.thinking!r}"
            raise UsageError(msg)

    @classmethod
    def from_mapping(cls, values: dict[str, Any]) -> Self:
        """Return the misbehaviour that `values` name.

        Raises:
            UsageError: a name is unknown, or a value is out of range or of another type.
        """
        known = [field.name for field in fields(cls)]
        unknown = sorted(set(values) - set(known))
        if unknown:
            msg = f"unknown misbehaviour {unknown}; known: {', '.join(known)}"
            raise UsageError(msg)
        try:
            given = {name: tuple(values[name]) for name in _WINDOWS if values.get(name) is not None}
            return cls(**values | given)
        except TypeError as exc:
            msg = f"a misbehaviour is of the wrong type: {exc}; found {values!r}"
            raise UsageError(msg) from exc

    def happens(self, name: str, *parts: str) -> bool:
        """Return whether the trouble called `name` befalls the request that `parts` identify."""
        share: float = getattr(self, name)
        return share > 0.0 and chance(name, *parts) < share

    def is_in(self, window: Literal["throttle_window", "outage_window"], since_s: float) -> bool:
        """Return whether a window is open, `since_s` after the first request."""
        span: tuple[float, float] | None = getattr(self, window)
        return span is not None and span[0] <= since_s < span[1]

    def latency_s(self, *parts: str) -> float:
        """Return the time to answer: log-normal around the median."""
        if self.latency_ms == 0.0:
            return 0.0
        deviation = _NORMAL.inv_cdf(chance("latency", *parts)) * self.latency_sigma
        return self.latency_ms / 1000.0 * math.exp(deviation)
