"""One set of limits and caps for many workers: the gatekeeper as a service, and its far end.

What a worker wants and what it has settled go out together, one message at a time, so that under
load each message carries many; what it is granted comes back with the next answer, or is waited for
in one long call.  A permit is never lost between the two: what nobody waits for any more is given
back, and what a dead worker held keeps its worst case, because its calls may be billed.

A gatekeeper that dies is not replaced: a fresh one would not know what was spent.
"""

import asyncio
from collections.abc import Sequence
from concurrent.futures import CancelledError
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final

from infra.pool.services import Place, Service, ServiceGoneError, call
from infra.teacher.budget import Budget, Caps
from infra.teacher.endpoints import Endpoint
from infra.teacher.pace.gatekeeper import Gatekeeper
from infra.teacher.pace.lane import PacePolicy
from infra.teacher.permits import Need, Permit, PermitsState, Use, UseKind
from sightline.errors import SightlineError, TeacherError

LISTEN_S: Final = 20.0
"""Longest single wait for grants; a new one begins at once."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """A worker asks for leave to send; `ticket` is its own number for that."""

    ticket: int
    need: Need


@dataclass(frozen=True, slots=True)
class Answered:
    """What became of a ticket: a permit, or why there will be none."""

    ticket: int
    result: Permit | SightlineError


@dataclass(frozen=True, slots=True)
class Outgoing:
    """Everything a worker has to say at once."""

    settled: tuple[tuple[Permit, Use], ...] = ()
    wanted: tuple[Wanted, ...] = ()
    withdrawn: tuple[int, ...] = ()


@dataclass(slots=True)
class _Desk:
    """What the gatekeeper knows of one worker."""

    waiting: dict[int, "asyncio.Task[None]"] = field(default_factory=dict)
    out: dict[int, Permit] = field(default_factory=dict)
    answers: list[Answered] = field(default_factory=list)
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    def take(self) -> list[Answered]:
        """Return the answers that are ready; their permits are out from now on."""
        taken, self.answers = self.answers, []
        return taken


class GatekeeperService:
    """The limits of a run, for the workers of the run; needs no HTTP client and no lake."""

    def __init__(
        self, place: Place, endpoints: Sequence[Endpoint], caps: Caps, pace: PacePolicy
    ) -> None:
        del place
        self._gatekeeper = Gatekeeper(endpoints, Budget(caps), pace)
        self._desks: dict[str, _Desk] = {}
        self._gone: set[str] = set()

    async def exchange(self, worker: str, outgoing: Outgoing) -> list[Answered]:
        """Take in what `worker` says and return what is granted by now.

        Raises:
            TeacherError: the worker was given up for dead.
        """
        desk = self._desk(worker)
        for permit, use in outgoing.settled:
            del desk.out[permit.number]
            self._gatekeeper.settle(permit, use)
        for ticket in outgoing.withdrawn:
            if ticket in desk.waiting:
                desk.waiting.pop(ticket).cancel()
        for wanted in outgoing.wanted:
            waiting = asyncio.create_task(self._acquire(desk, wanted))
            desk.waiting[wanted.ticket] = waiting
        if not desk.waiting:
            desk.changed.set()  # whoever listens listens in vain
        await asyncio.sleep(0)  # those who need not wait are granted now
        return desk.take()

    async def listen(self, worker: str) -> list[Answered]:
        """Return what is granted to `worker`; waits for something to come, but not for ever.

        What an `exchange` has taken meanwhile does not end the wait: a call more each time would
        cost as much as the grant.
        """
        desk = self._desk(worker)
        with suppress(TimeoutError):
            async with asyncio.timeout(LISTEN_S):
                while not desk.answers and desk.waiting:
                    await desk.changed.wait()
                    desk.changed.clear()
        return desk.take()

    async def drop(self, worker: str) -> int:
        """Take back what a dead worker held; return how many of its calls may be billed."""
        self._gone.add(worker)
        desk = self._desks.pop(worker, None)
        if desk is None:
            return 0
        for waiting in desk.waiting.values():
            waiting.cancel()
        desk.waiting.clear()
        desk.changed.set()
        unseen = {a.result.number for a in desk.answers if isinstance(a.result, Permit)}
        for number, permit in desk.out.items():
            kind = UseKind.UNSENT if number in unseen else UseKind.ABANDONED
            self._gatekeeper.settle(permit, Use(kind, detail="the worker died"))
        return len(desk.out) - len(unseen)

    async def stop(self, error: SightlineError) -> None:
        """Give no leave to anybody from now on."""
        self._gatekeeper.stop(error)

    async def state(self) -> PermitsState:
        """Return what is known now."""
        return self._gatekeeper.state

    def _desk(self, worker: str) -> _Desk:
        if worker in self._gone:
            msg = f"worker {worker} was given up for dead, and its permits with it"
            raise TeacherError(msg)
        return self._desks.setdefault(worker, _Desk())

    async def _acquire(self, desk: _Desk, wanted: Wanted) -> None:
        result: Permit | SightlineError
        try:
            result = await self._gatekeeper.acquire(wanted.need)
            desk.out[result.number] = result
        except SightlineError as error:
            result = error
        desk.waiting.pop(wanted.ticket, None)
        desk.answers.append(Answered(wanted.ticket, result))
        desk.changed.set()


class RemotePermits:
    """The far end of a `GatekeeperService`; see `infra.teacher.permits`.

    Args:
        gatekeeper: the service.
        worker: name of this worker, unique in the run.
    """

    def __init__(self, gatekeeper: Service, worker: str) -> None:
        self._gatekeeper, self._worker = gatekeeper, worker
        self._ticket = 0
        self._waiting: dict[int, asyncio.Future[Permit]] = {}
        self._settled: list[tuple[Permit, Use]] = []
        self._wanted: list[Wanted] = []
        self._withdrawn: list[int] = []
        self._talking: asyncio.Task[None] | None = None
        self._listening: asyncio.Task[None] | None = None
        self._stopped: SightlineError | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    @property
    def state(self) -> PermitsState:
        """Return nothing: the limits of all workers are asked for at the gatekeeper."""
        return PermitsState()

    async def acquire(self, need: Need) -> Permit:
        """Wait for leave to send; see `infra.teacher.permits`."""
        if self._stopped is not None:
            raise again(self._stopped)
        self._ticket += 1
        ticket = self._ticket
        self._loop = asyncio.get_running_loop()
        permit: asyncio.Future[Permit] = self._loop.create_future()
        self._waiting[ticket] = permit
        self._wanted.append(Wanted(ticket, need))
        self._talk()
        try:
            return await permit
        except asyncio.CancelledError:
            self._withdraw(ticket, permit)
            raise

    def settle(self, permit: Permit, use: Use) -> None:
        """End a permit; what it came to goes out with the next message."""
        self._settled.append((permit, use))
        self._talk()

    def stop(self, error: SightlineError) -> None:
        """Make those who wait here, and all who come, end with `error`."""
        self._stopped = self._stopped or error
        waiting, self._waiting = self._waiting, {}
        for ticket, permit in waiting.items():
            self._withdrawn.append(ticket)
            if not permit.done():
                permit.set_exception(again(self._stopped))
        if waiting:
            self._talk()

    def tell_all(self, timeout_s: float) -> None:
        """Return once everything settled so far is told; from any thread but the loop's own."""
        if self._loop is not None and not self._loop.is_closed():
            asyncio.run_coroutine_threadsafe(self._told(), self._loop).result(timeout_s)

    async def _told(self) -> None:
        while self._talking is not None and not self._talking.done():
            await asyncio.wait([self._talking])

    def _withdraw(self, ticket: int, permit: "asyncio.Future[Permit]") -> None:
        """Forget a waiter who has gone; a permit that came in the same moment is given back."""
        if permit.done() and not permit.cancelled() and permit.exception() is None:
            self.settle(permit.result(), Use(UseKind.UNSENT))
        elif self._waiting.pop(ticket, None) is not None:
            self._withdrawn.append(ticket)
            self._talk()

    def _talk(self) -> None:
        """Send what has gathered, unless a message is under way: then it goes with the next."""
        if self._talking is None or self._talking.done():
            self._talking = asyncio.create_task(self._exchange())

    async def _exchange(self) -> None:
        await asyncio.sleep(0)  # whatever else this turn of the loop settles goes along
        while self._settled or self._wanted or self._withdrawn:
            outgoing = Outgoing(tuple(self._settled), tuple(self._wanted), tuple(self._withdrawn))
            self._settled, self._wanted, self._withdrawn = [], [], []
            if not await self._hear("exchange", outgoing):
                return
        if self._waiting and (self._listening is None or self._listening.done()):
            self._listening = asyncio.create_task(self._listen())

    async def _listen(self) -> None:
        while self._waiting and await self._hear("listen"):
            pass

    async def _hear(self, method: str, *arguments: Outgoing) -> bool:
        """Hand out what the gatekeeper answers; return whether it did answer."""
        try:
            answers: Sequence[Answered] = await call(
                self._gatekeeper, method, self._worker, *arguments
            )
        except (ServiceGoneError, CancelledError, SightlineError) as exc:
            msg = (
                f"the process that keeps the limits of this run cannot be asked: {exc}; "
                "everything bought is kept: run again to go on"
            )
            self.stop(TeacherError(msg))
            return False
        for answer in answers:
            self._hand_out(answer)
        return True

    def _hand_out(self, answer: Answered) -> None:
        waiter = self._waiting.pop(answer.ticket, None)
        if waiter is None or waiter.done():
            if isinstance(answer.result, Permit):
                self.settle(answer.result, Use(UseKind.UNSENT))
        elif isinstance(answer.result, Permit):
            waiter.set_result(answer.result)
        else:
            waiter.set_exception(answer.result)


def again(error: SightlineError) -> SightlineError:
    """Return the same error anew: tracebacks would pile up on one."""
    return type(error)(*error.args)
