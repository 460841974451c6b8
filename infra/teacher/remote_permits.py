"""The far end of a shared gatekeeper: leave to send, asked for by message.

What this worker wants and what it has settled go out together, one message at a time; while any
waiter is left, one long call listens for what is granted later.  A permit that nobody waits for any
more is given back.  If the gatekeeper cannot be asked, everybody here stops: sending without leave
would cross caps.
"""

import asyncio
from collections.abc import Sequence
from concurrent.futures import CancelledError

from infra.pool.services import Service, ServiceGoneError, call
from infra.teacher.permits import Need, Permit, PermitsState, Use, UseKind
from infra.teacher.remote_gate import Answered, Outgoing, Wanted
from infra.teacher.stop_sign import again
from sightline.errors import SightlineError, TeacherError


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
