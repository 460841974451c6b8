"""One set of limits and caps for many workers: the gatekeeper as a service.

What a worker wants and has settled comes in one message, so that under load each message carries
many; what it is granted goes out with the next answer, or to one long call that waits for it.  What
a dead worker held is taken back and keeps its worst case, because its calls may be billed.

A gatekeeper that dies is not replaced: a fresh one would not know what was spent.
"""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final

from infra.pool.services import Place
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
