"""Buying one call: leave to send, the send, durable; and trying again where that may help.

A permit is never held while a call waits to try again, and neither is its body: memory is as many
bodies as permits.  An answer is returned, and counts, only once it is durable.
"""

import asyncio
import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from infra.ledger.ledger import Ledger
from infra.ledger.row import CallKey, LedgerRow
from infra.teacher.budget import Caps
from infra.teacher.permits import Need, Permit, Permits, Use, UseKind
from infra.teacher.prices import Prices
from infra.teacher.probe import Probe, Probes
from infra.teacher.reply import response_of, response_without
from infra.teacher.retry import RetryPolicy
from infra.teacher.sending import Again, Paid, Payer, RowError, Sender
from infra.teacher.stats import StatsCounter
from infra.teacher.transport import Transport
from infra.teacher.tries import Tries
from infra.teacher.types import Request, Response
from infra.teacher.wire import Call
from sightline.errors import LakeError, SightlineError

OVERHEAD_TOKENS: Final = 256
"""Worst case of what chat templates add around the text."""
BYTES_PER_TOKEN: Final = 4
IMAGE_TOKENS: Final = 1024
REPLY_TOKENS: Final = 512
"""Estimates for the token rate; the real count corrects them."""


@dataclass(frozen=True, slots=True)
class EngineOptions:
    """How a teacher runs; none of it changes an answer.

    Attributes:
        recipe: who pays, for the ledger.
        step: for which step, where a request names none.
        retry: when to try again.
        retry_truncated: ask once more, with twice the room, when a reply was cut.
        drain_s: how long `close` waits for calls in flight.
        probe: find out whether endpoints see images before one is bought an answer.
        reserved: gives the reason why a call must not be bought here, such as an open batch that
            holds it; null if it may be.
    """

    recipe: str
    step: str = "distill"
    retry: RetryPolicy = field(default_factory=RetryPolicy)
    retry_truncated: bool = True
    drain_s: float = 60.0
    probe: bool = False
    reserved: Callable[[CallKey], str | None] | None = None


@dataclass(frozen=True, slots=True)
class Spending:
    """Where money is written down, what it buys, and the caps that the permits keep."""

    ledger: Ledger
    prices: Prices
    caps: Caps


class Buyer:
    """Buys calls that are not in the ledger; lives in the engine's event loop."""

    def __init__(
        self,
        routes: Mapping[str, Transport],
        permits: Permits,
        spending: Spending,
        options: EngineOptions,
        stats: StatsCounter,
    ) -> None:
        payer = Payer(options.recipe, options.step)
        self._sender = Sender(routes, permits, spending.prices, payer, stats)
        self._permits, self._policy, self._stats = permits, options.retry, stats
        self._ledger, self._prices, self._caps = spending.ledger, spending.prices, spending.caps
        self._probes = Probes(is_on=options.probe)
        self._rng = random.Random()  # noqa: S311 - jitter, not secrets
        self.stop_sign = self._sender.stop_sign

    def stop(self, error: SightlineError) -> None:
        """Buy nothing from now on; calls on the wire arrive."""
        self.stop_sign.stop(error)
        self._permits.stop(error)

    async def buy(self, call: Call) -> Response:
        """Return the paid and durable answer, or one with outcome `error`.

        Raises:
            TeacherError: the endpoint as a whole is unusable, or a cap is reached.
            LakeError: the response could not be made durable.
        """
        tries, need = Tries(self._policy), self._need(call.request)
        while True:
            result = await self._attempt(call, need)
            if isinstance(result, Response):
                return result
            if isinstance(result, RowError):
                return self._error(call.key, result.detail)
            if result is None:
                continue
            tries.add(result, time.monotonic())
            if tries.are_spent(time.monotonic()):
                detail = f"gave up after {tries.total} tries: {result.reason}"
                return replace(self._error(call.key, detail), may_succeed=True)
            if result.kind is not UseKind.THROTTLED:
                need = replace(need, avoid=result.permit.endpoint)
            self._stats.retries += 1
            with self._stats.pausing():
                await self.stop_sign.pause(tries.wait_s(result, self._rng))

    async def _attempt(self, call: Call, need: Need) -> Response | Again | RowError | None:
        """Return what came of a send; null if a probe had to come first."""
        with self._stats.pausing():
            permit = await self._permits.acquire(need)
        probe = self._probes.needed(permit.endpoint, self._sender.address(permit), call.request)
        if probe is None:
            return await self._send(call, permit)
        if not probe.is_running:
            await self._ask_probe(probe, call.request, permit)
            return None
        self._permits.settle(permit, Use(UseKind.UNSENT))
        with self._stats.pausing():
            await probe.wait()
        return None

    async def _send(self, call: Call, permit: Permit) -> Response | Again | RowError:
        result = await self._sender.send(call, permit)
        if not isinstance(result, Paid):
            return result
        await self._make_durable(result.row)
        return response_of(result.row, reused=False)

    async def _ask_probe(self, probe: Probe, request: Request, permit: Permit) -> None:
        """Use the permit of a call to find out first whether its picture will be seen."""
        try:
            result = await self._send(Call.of(self._probes.begin(probe, request)), permit)
        except BaseException:
            probe.abandon()
            raise
        probe.finish(result if isinstance(result, Response) else None, request.model)

    def _need(self, request: Request) -> Need:
        """Return what the permits have to know of a call."""
        images, text_bytes = sum(1 for _ in request.images), request.text_bytes
        reply_tokens = request.max_tokens or REPLY_TOKENS
        tokens = text_bytes // BYTES_PER_TOKEN + images * IMAGE_TOKENS + reply_tokens
        if self._caps.usd is None:
            return Need(request.model, tokens)
        price = self._prices.require(request.model)
        worst_usd = price.worst_case_usd(text_bytes + OVERHEAD_TOKENS, images, request.max_tokens)
        return Need(request.model, tokens, worst_usd)

    async def _make_durable(self, row: LedgerRow) -> None:
        """Wait for the spool; without it nothing more is bought."""
        try:
            await asyncio.wrap_future(self._ledger.record(row))
        except LakeError as error:
            self.stop(error)
            raise

    def _error(self, key: CallKey, detail: str) -> Response:
        self._stats.errors += 1
        return response_without(key, detail)
