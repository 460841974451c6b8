"""The limits of a run in one place: who waits, who may send, and at which endpoint.

Waiters of one model stand in one queue and are served in their order; only its head is looked at,
so a settle costs the same whether ten wait or a hundred thousand.  Where models share the seats of
an endpoint, who has waited longest goes first.  Nothing polls: a head that has to wait is looked at
again when a send ends or when the pause it waits for is over.  The slot comes before the budget,
because a cap counts calls in flight, not calls in the queue.
"""

import asyncio
import math
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NoReturn

from infra.teacher.address import printable_address
from infra.teacher.budget import Budget, Reservation
from infra.teacher.endpoints import Endpoint, for_model
from infra.teacher.pace.breaker import BreakerState
from infra.teacher.pace.lane import Lane, PacePolicy, Seats, Sent
from infra.teacher.permits import Need, Permit, PermitsState, Use, UseKind
from infra.teacher.stop_sign import again
from sightline.errors import SightlineError, TeacherError


@dataclass(frozen=True, slots=True)
class _Held:
    """A permit that is out."""

    lane: Lane
    sent: Sent
    reservation: Reservation


@dataclass(frozen=True, slots=True, eq=False)
class _Waiter:
    number: int
    need: Need
    permit: "asyncio.Future[Permit]"


@dataclass(slots=True)
class _Queue:
    """Those who wait for one model, and the lanes they may go to."""

    lanes: tuple[Lane, ...]
    waiters: deque[_Waiter] = field(default_factory=deque)
    timer: asyncio.TimerHandle | None = None


class Gatekeeper:
    """Hands out permits in this process; see `infra.teacher.permits`.

    Args:
        endpoints: where calls may go.
        budget: of the run.
        policy: how lanes react.
        clock: seconds that never run backwards.
    """

    def __init__(
        self,
        endpoints: Sequence[Endpoint],
        budget: Budget,
        policy: PacePolicy | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._endpoints, self._budget = tuple(endpoints), budget
        self._policy, self._clock = policy or PacePolicy(), clock
        self._seats = {e.name: Seats(e.max_in_flight) for e in self._endpoints}
        self._queues: dict[str, _Queue] = {}
        self._held: dict[int, _Held] = {}
        self._number = self._arrived = 0
        self._stopped: SightlineError | None = None

    @property
    def state(self) -> PermitsState:
        """Return lanes and money as they are now."""
        now, queues = self._clock(), list(self._queues.values())
        return PermitsState(
            lanes=tuple(lane.state(now) for queue in queues for lane in queue.lanes),
            spent_usd=self._budget.spent_usd,
            at_risk_usd=self._budget.at_risk_usd,
            calls=self._budget.calls,
        )

    async def acquire(self, need: Need) -> Permit:
        """Wait for leave to send; see `infra.teacher.permits`."""
        if self._stopped is not None:
            raise again(self._stopped)
        queue = self._queues.get(need.model) or self._open_queue(need.model)
        if not queue.waiters:
            permit = self._admit(queue, need)
            if permit is not None:
                return permit
        self._arrived += 1
        waiter = _Waiter(self._arrived, need, asyncio.get_running_loop().create_future())
        queue.waiters.append(waiter)
        self._serve(queue)
        try:
            return await waiter.permit
        except asyncio.CancelledError:
            self._withdraw(queue, waiter)
            raise

    def settle(self, permit: Permit, use: Use) -> None:
        """End a permit and let those go who waited for it."""
        held = self._held.pop(permit.number)
        held.lane.end(held.sent, use, self._clock())
        if use.kind is UseKind.ANSWERED:
            self._budget.settle(held.reservation, use.cost_usd)
        elif use.kind.may_be_billed:
            self._budget.lose(held.reservation)
        else:
            self._budget.release(held.reservation)
        waiting = [queue for queue in self._queues.values() if queue.waiters]
        for queue in sorted(waiting, key=lambda queue: queue.waiters[0].number):
            self._serve(queue)

    def stop(self, error: SightlineError) -> None:
        """End all who wait with `error`; permits that are out stay valid."""
        self._stopped = self._stopped or error
        for queue in self._queues.values():
            if queue.timer is not None:
                queue.timer.cancel()
                queue.timer = None
            while queue.waiters:
                permit = queue.waiters.popleft().permit
                if not permit.done():
                    permit.set_exception(again(self._stopped))

    def _open_queue(self, model: str) -> _Queue:
        now = self._clock()
        lanes = tuple(
            Lane(endpoint, model, self._seats[endpoint.name], self._policy, now)
            for endpoint in for_model(self._endpoints, model)
        )
        queue = self._queues[model] = _Queue(lanes)
        return queue

    def _serve(self, queue: _Queue) -> None:
        """Let go from the head of the queue as many as may."""
        while queue.waiters:
            head = queue.waiters[0]
            if not head.permit.done():
                try:
                    permit = self._admit(queue, head.need)
                except SightlineError as error:
                    head.permit.set_exception(error)
                else:
                    if permit is None:
                        return
                    head.permit.set_result(permit)
            queue.waiters.popleft()

    def _admit(self, queue: _Queue, need: Need) -> Permit | None:
        """Return a permit, or null if the need has to wait."""
        now = self._clock()
        wait_s, lane = _best(queue.lanes, need, now)
        if wait_s > 0.0:
            if all(lane.breaker.is_hopeless(now) for lane in queue.lanes):
                _give_up(queue.lanes, now)
            self._look_again(queue, wait_s)
            return None
        reservation = self._budget.reserve(need.worst_case_usd)
        if reservation is None:
            return None
        self._number += 1
        sent = lane.send(need, now)
        self._held[self._number] = _Held(lane, sent, reservation)
        return Permit(self._number, lane.endpoint.name, sent.is_probe)

    def _look_again(self, queue: _Queue, wait_s: float) -> None:
        """Look at the head again in `wait_s`; without end, the next settle looks."""
        if queue.timer is not None:
            queue.timer.cancel()
        is_known = wait_s < math.inf
        loop = asyncio.get_running_loop()
        queue.timer = loop.call_later(wait_s, self._serve, queue) if is_known else None

    def _withdraw(self, queue: _Queue, waiter: _Waiter) -> None:
        """Forget a waiter who has gone; a permit that came in the same moment is given back."""
        if waiter.permit.cancelled() or waiter.permit.exception() is not None:
            self._serve(queue)
            return
        self.settle(waiter.permit.result(), Use(UseKind.UNSENT))


def _best(lanes: Sequence[Lane], need: Need, now: float) -> tuple[float, Lane]:
    """Return the lane that is open soonest, of several that are open the one with most room."""
    others = [lane for lane in lanes if lane.endpoint.name != need.avoid]
    is_spared = any(lane.breaker.state is BreakerState.CLOSED for lane in others)
    chosen = others if is_spared else lanes
    waits = [(lane.wait_s(need, now), -lane.room, n) for n, lane in enumerate(chosen)]
    wait_s, _, number = min(waits)
    return wait_s, chosen[number]


def _give_up(lanes: Sequence[Lane], now: float) -> NoReturn:
    lane = lanes[0]
    address, reason = printable_address(lane.endpoint.base_url), lane.breaker.reason
    if reason == "connect":
        msg = f"cannot connect to {address}; is the endpoint running?"
    else:
        msg = (
            f"{address} has answered no call for {lane.model!r} for {lane.breaker.down_s(now):.0f} "
            f"s ({reason}); everything bought is kept: run again when it is up"
        )
    raise TeacherError(msg)
