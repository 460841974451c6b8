"""Buying one call: slot, budget, HTTP, settle, durable; and trying again where that may help.

A slot is held for the HTTP exchange and the fsync only, never while waiting to try again, and
neither is the request's body: memory is `max_in_flight` bodies.  The slot comes before the
budget, because a cap counts calls in flight, not calls in the queue.
"""

import asyncio
import random
import time
from concurrent.futures import Executor
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Final

from infra.ledger.ledger import Ledger
from infra.ledger.row import CallKey, LedgerRow
from infra.teacher.budget import Budget, Reservation
from infra.teacher.prices import Prices, Usage
from infra.teacher.reply import Reply, error_code, error_message, read_reply, response_of
from infra.teacher.retry import FATAL_STATUS, THROTTLED, RetryPolicy, may_retry, retry_after_s
from infra.teacher.stats import StatsCounter
from infra.teacher.transport import HttpReply, NoReply, Transport
from infra.teacher.types import ENDPOINT_CLASS, Request, Response
from sightline.errors import LakeError, SightlineError, TeacherError, clip_detail
from sightline.outcomes import Outcome

if TYPE_CHECKING:
    from collections.abc import Callable

CALL_HEADER: Final = "X-Sightline-Call"
"""`<request_key>/<draw>`: lets an endpoint's own log be joined with the ledger."""
OVERHEAD_TOKENS: Final = 256
"""Worst case of what chat templates add around the text."""
FILTER_CODES: Final = frozenset({"content_filter", "content_policy_violation"})
"""Error codes that mean "refused", not "malformed request" (Azure, OpenAI)."""
NO_CREDIT_CODES: Final = frozenset({"insufficient_quota", "billing_hard_limit_reached"})
"""429 answers that no patience helps with."""
HTTP_OK: Final = 200


@dataclass(frozen=True, slots=True)
class EngineOptions:
    """How a teacher runs; none of it changes an answer.

    Attributes:
        recipe: who pays, for the ledger.
        step: for which step.
        max_in_flight: calls on the wire at once; memory is this many request bodies.
        retry: when to try again.
        retry_truncated: ask once more, with twice the room, when a reply was cut.
        drain_s: how long `close` waits for calls in flight.
    """

    recipe: str
    step: str = "distill"
    max_in_flight: int = 32
    retry: RetryPolicy = field(default_factory=RetryPolicy)
    retry_truncated: bool = True
    drain_s: float = 60.0


@dataclass(frozen=True, slots=True)
class Spending:
    """Where money goes and where it is written down."""

    ledger: Ledger
    budget: Budget
    prices: Prices


@dataclass(frozen=True, slots=True)
class _Again:
    """The attempt failed and may succeed later."""

    reason: str
    is_throttled: bool = False
    wait_s: float | None = None
    never_connected: bool = False


@dataclass(frozen=True, slots=True)
class _RowError:
    """The endpoint refuses this request; the run goes on."""

    detail: str


class StopSign:
    """The reason why nothing new is bought any more; set once, wakes all who wait."""

    def __init__(self) -> None:
        self._error: SightlineError | None = None
        self._raised = asyncio.Event()

    def stop(self, error: SightlineError) -> None:
        """Buy nothing from now on; the first reason stays."""
        self._error = self._error or error
        self._raised.set()

    def check(self) -> None:
        """Raise the reason, as a new exception each time: tracebacks would pile up on one."""
        if self._error is not None:
            raise type(self._error)(*self._error.args)

    async def pause(self, seconds: float) -> None:
        """Wait, but no longer than until the stop."""
        try:
            await asyncio.wait_for(self._raised.wait(), seconds)
        except TimeoutError:
            return


class Buyer:
    """Buys calls that are not in the ledger; lives in the engine's event loop."""

    def __init__(
        self,
        transport: Transport,
        spending: Spending,
        options: EngineOptions,
        stats: StatsCounter,
        threads: Executor,
    ) -> None:
        self.stop_sign = StopSign()
        self._transport, self._options, self._stats = transport, options, stats
        self._ledger, self._budget = spending.ledger, spending.budget
        self._prices, self._threads = spending.prices, threads
        self._slots = asyncio.Semaphore(options.max_in_flight)
        self._settled = asyncio.Event()
        self._rng = random.Random()  # noqa: S311 - jitter, not secrets

    async def buy(self, request: Request, key: CallKey) -> Response:
        """Return the paid and durable answer, or one with outcome `error`.

        Raises:
            TeacherError: the endpoint as a whole is unusable, or a cap is reached.
            LakeError: the response could not be made durable.
        """
        policy, started = self._options.retry, time.monotonic()
        failures = throttles = 0
        while True:
            result = await self._attempt(request, key)
            if isinstance(result, Response):
                return result
            if isinstance(result, _RowError):
                return self._error(key, result.detail)
            throttles += result.is_throttled
            failures += not result.is_throttled
            is_late = result.is_throttled and time.monotonic() - started > policy.patience_s
            if failures >= policy.attempts or is_late:
                return self._give_up(key, failures + throttles, result)
            tries = throttles if result.is_throttled else failures
            self._stats.add(retries=1)
            with self._stats.held("waiting"):
                await self.stop_sign.pause(policy.wait_s(tries, result.wait_s, self._rng))

    async def _attempt(self, request: Request, key: CallKey) -> Response | _Again | _RowError:
        with self._stats.held("waiting"):
            await self._slots.acquire()
        try:
            self.stop_sign.check()
            reservation = await self._reserve(request)
            return await self._exchange(request, key, reservation)
        finally:
            self._slots.release()

    async def _reserve(self, request: Request) -> Reservation:
        """Wait until the worst case fits under the caps beside the calls in flight."""
        worst_case_usd = self._worst_case_usd(request)
        while (reservation := self._budget.reserve(worst_case_usd)) is None:
            self._settled.clear()
            await self._settled.wait()
        return reservation

    def _worst_case_usd(self, request: Request) -> float:
        if self._budget.caps.usd is None:
            return 0.0
        price = self._prices.require(request.model)
        text_tokens = request.text_bytes + OVERHEAD_TOKENS
        images = sum(1 for _ in request.images)
        return price.worst_case_usd(text_tokens, images, request.max_tokens)

    async def _exchange(
        self, request: Request, key: CallKey, reservation: Reservation
    ) -> Response | _Again | _RowError:
        """Send once and end the reservation as what comes of it demands."""
        end: Callable[[Reservation], None] = self._budget.release
        try:
            with self._stats.held("in_flight"):
                loop = asyncio.get_running_loop()
                body = await loop.run_in_executor(self._threads, request.wire_body)
                end = self._budget.lose
                started = time.monotonic()
                reply = await self._transport.post(body, {CALL_HEADER: f"{key[0]}/{key[1]}"})
                latency_ms = (time.monotonic() - started) * 1000.0
            if isinstance(reply, NoReply):
                end = self._budget.lose if reply.was_sent else self._budget.release
                return _Again(reply.reason, never_connected=not reply.was_sent)
            completion = _completion(reply)
            if completion is None:
                end = self._budget.release
                return self._without_completion(request, reply)
            row = self._row(request, key, reply.body, completion, latency_ms)
            end = partial(self._budget.settle, cost_usd=row.cost_usd)
            await self._make_durable(row)
            return response_of(row, reused=False)
        finally:
            end(reservation)
            self._settled.set()

    def _without_completion(self, request: Request, reply: HttpReply) -> _Again | _RowError:
        """Return what an answer that is no completion means for this request, or stop the run."""
        status, address = reply.status, self._transport.address
        if status in FATAL_STATUS or error_code(reply.body) in NO_CREDIT_CODES:
            msg = (
                f"{address} answers {status} for model {request.model!r}: expected a valid key "
                "with credit and a model that the endpoint lists; check them and run again"
            )
            raise TeacherError(msg)
        detail = f"HTTP {status}: {error_message(reply.body) or 'no completion in the answer'}"
        if status != HTTP_OK and not may_retry(status):
            return _RowError(detail)
        is_throttled = status == THROTTLED
        self._stats.add(throttled=is_throttled)
        return _Again(detail, is_throttled=is_throttled, wait_s=retry_after_s(reply.headers))

    def _row(
        self, request: Request, key: CallKey, body: str, reply: Reply, latency_ms: float
    ) -> LedgerRow:
        price = self._prices.find(request.model)
        return LedgerRow(
            request_key=key[0],
            draw=key[1],
            endpoint_class=ENDPOINT_CLASS,
            teacher=request.model,
            recipe=self._options.recipe,
            step=request.step or self._options.step,
            subject_id=request.subject_id,
            prompt_id=request.prompt_id,
            request_json=request.request_json,
            response_json=body,
            outcome=reply.outcome,
            finish_reason=reply.finish_reason,
            tokens_in=reply.usage.tokens_in,
            tokens_out=reply.usage.tokens_out,
            tokens_reasoning=reply.usage.tokens_reasoning,
            cost_usd=price.cost_usd(reply.usage) if price else None,
            latency_ms=latency_ms,
            received_us=time.time_ns() // 1000,
        )

    async def _make_durable(self, row: LedgerRow) -> None:
        """Count the call as paid and wait for the spool; without it nothing more is bought."""
        self._stats.add(
            calls=1,
            tokens_in=row.tokens_in or 0,
            tokens_out=row.tokens_out or 0,
            tokens_reasoning=row.tokens_reasoning or 0,
            cost_usd=row.cost_usd or 0.0,
            unpriced=row.cost_usd is None,
        )
        try:
            await asyncio.wrap_future(self._ledger.record(row))
        except LakeError as error:
            self.stop_sign.stop(error)
            raise

    def _give_up(self, key: CallKey, tries: int, last: _Again) -> Response:
        if last.never_connected:
            msg = f"cannot connect to {self._transport.address}; is the endpoint running?"
            raise TeacherError(msg)
        response = self._error(key, f"gave up after {tries} tries: {last.reason}")
        return replace(response, may_succeed=True)

    def _error(self, key: CallKey, detail: str) -> Response:
        self._stats.add(errors=1)
        return Response(
            request_key=key[0],
            draw=key[1],
            text="",
            thinking=None,
            raw_text="",
            outcome=Outcome.ERROR,
            finish_reason=None,
            tokens_in=None,
            tokens_out=None,
            tokens_reasoning=None,
            cost_usd=None,
            latency_ms=None,
            reused=False,
            detail=clip_detail(detail),
        )


def _completion(reply: HttpReply) -> Reply | None:
    """Return the completion in an answer; a filtered prompt is one, free and refused."""
    if reply.status == HTTP_OK:
        return read_reply(reply.body)
    if error_code(reply.body) in FILTER_CODES:
        return Reply("", None, "", Outcome.REFUSED, "content_filter", Usage(0, 0))
    return None
