"""One send of one call: the HTTP exchange, and what its end means for money, limits and the run.

A permit is settled as soon as the answer is there, before it is durable: the endpoint is free
again, and waiting for the disk is no reason to leave it idle.  Whatever happens between, also a
cancellation, the permit is settled exactly once, and a call that was sent counts as billed unless
the endpoint said otherwise.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from infra.ledger.row import LedgerRow
from infra.teacher.pace.headers import headroom, retry_after_s
from infra.teacher.permits import Permit, Permits, Use, UseKind
from infra.teacher.prices import Prices
from infra.teacher.reply import HTTP_OK, Reply, completion_in, error_code, error_message
from infra.teacher.retry import FATAL_STATUS, THROTTLED, may_retry
from infra.teacher.stats import StatsCounter
from infra.teacher.stop_sign import StopSign
from infra.teacher.transport import HttpReply, NoReply, Transport
from infra.teacher.types import ENDPOINT_CLASS, Request
from infra.teacher.wire import BodyWriter, Call
from sightline.errors import TeacherError

CALL_HEADER: Final = "X-Sightline-Call"
"""`<request_key>/<draw>`: lets an endpoint's own log be joined with the ledger."""
NO_CREDIT_CODES: Final = frozenset({"insufficient_quota", "billing_hard_limit_reached"})
"""429 answers that no patience helps with."""


@dataclass(frozen=True, slots=True)
class Payer:
    """Who pays, for the ledger."""

    recipe: str
    step: str


@dataclass(frozen=True, slots=True)
class Paid:
    """A response was received and has to be made durable."""

    row: LedgerRow


@dataclass(frozen=True, slots=True)
class Again:
    """The attempt failed and may succeed later."""

    reason: str
    kind: UseKind
    permit: Permit
    wait_s: float | None = None


@dataclass(frozen=True, slots=True)
class RowError:
    """The endpoint refuses this request; the run goes on."""

    detail: str


@dataclass(slots=True)
class _Sending:
    """How a send stands; what it says when it is left is how its permit is settled."""

    permit: Permit
    use: Use = field(default_factory=lambda: Use(UseKind.UNSENT))


class Sender:
    """Sends calls to endpoints; lives in the engine's event loop."""

    def __init__(
        self,
        routes: Mapping[str, Transport],
        permits: Permits,
        prices: Prices,
        payer: Payer,
        stats: StatsCounter,
    ) -> None:
        self.stop_sign = StopSign()
        self._routes, self._permits, self._prices = routes, permits, prices
        self._payer, self._stats, self._bodies = payer, stats, BodyWriter()

    def address(self, permit: Permit) -> str:
        """Return where a permit leads, safe to print."""
        return self._routes[permit.endpoint].address

    async def send(self, call: Call, permit: Permit) -> Paid | Again | RowError:
        """Send once and settle the permit.

        Raises:
            TeacherError: the endpoint as a whole is unusable, or the run has stopped.
        """
        sending = _Sending(permit)
        try:
            with self._stats.sending():
                return await self._exchange(call, sending)
        finally:
            self._permits.settle(permit, sending.use)

    async def _exchange(self, call: Call, sending: _Sending) -> Paid | Again | RowError:
        self.stop_sign.check()
        permit = sending.permit
        transport = self._routes[permit.endpoint]
        body = self._bodies.body(call.request)
        sending.use = Use(UseKind.LOST, detail="cancelled")
        started = time.monotonic()
        reply = await transport.post(body, {CALL_HEADER: f"{call.key[0]}/{call.key[1]}"})
        latency_s = time.monotonic() - started
        lane = self._stats.lane(permit.endpoint, call.request.model)
        if isinstance(reply, NoReply):
            kind = UseKind.LOST if reply.was_sent else UseKind.UNREACHABLE
            sending.use = Use(kind, detail=reply.reason)
            lane.failed += 1
            return Again(reply.reason, kind, permit)
        completion = completion_in(reply.status, reply.body)
        if completion is None:
            return self._without_completion(call.request, reply, sending)
        row = self._row(call, permit, reply.body, completion, latency_s)
        sending.use = Use(
            UseKind.ANSWERED,
            cost_usd=row.cost_usd,
            tokens=_sum(row.tokens_in, row.tokens_out),
            latency_s=latency_s,
            headroom=headroom(reply.headers),
        )
        lane.paid(row)
        return Paid(row)

    def _without_completion(
        self, request: Request, reply: HttpReply, sending: _Sending
    ) -> Again | RowError:
        """Return what an answer that is no completion means for this request, or stop the run."""
        status, permit = reply.status, sending.permit
        sending.use = Use(UseKind.REFUSED)
        if status in FATAL_STATUS or error_code(reply.body) in NO_CREDIT_CODES:
            msg = (
                f"{self._routes[permit.endpoint].address} answers {status} for model "
                f"{request.model!r}: expected a valid key with credit and a model that the "
                "endpoint lists; check them and run again"
            )
            raise TeacherError(msg)
        detail = f"HTTP {status}: {error_message(reply.body) or 'no completion in the answer'}"
        lane = self._stats.lane(permit.endpoint, request.model)
        if status != HTTP_OK and not may_retry(status):
            lane.failed += 1
            return RowError(detail)
        kind = UseKind.THROTTLED if status == THROTTLED else UseKind.FAILED
        wait_s = retry_after_s(reply.headers)
        sending.use = Use(
            kind, retry_after_s=wait_s, headroom=headroom(reply.headers), detail=f"HTTP {status}"
        )
        lane.throttled += kind is UseKind.THROTTLED
        lane.failed += kind is not UseKind.THROTTLED
        return Again(detail, kind, permit, wait_s)

    def _row(
        self, call: Call, permit: Permit, body: str, reply: Reply, latency_s: float
    ) -> LedgerRow:
        request, price = call.request, self._prices.find(call.request.model)
        return LedgerRow(
            request_key=call.key[0],
            draw=call.key[1],
            endpoint_class=ENDPOINT_CLASS,
            teacher=request.model,
            recipe=self._payer.recipe,
            step=request.step or self._payer.step,
            subject_id=request.subject_id,
            prompt_id=request.prompt_id,
            request_json=call.request_json,
            response_json=body,
            outcome=reply.outcome,
            finish_reason=reply.finish_reason,
            tokens_in=reply.usage.tokens_in,
            tokens_out=reply.usage.tokens_out,
            tokens_reasoning=reply.usage.tokens_reasoning,
            cost_usd=price.cost_usd(reply.usage) if price else None,
            latency_ms=latency_s * 1000.0,
            received_us=time.time_ns() // 1000,
            endpoint=permit.endpoint,
        )


def _sum(tokens_in: int | None, tokens_out: int | None) -> int | None:
    return None if tokens_in is None or tokens_out is None else tokens_in + tokens_out
