"""A teacher made of many workers: for runs that one process cannot keep up with.

To its callers it is a teacher: it answers requests, counts and closes.  Behind it are a gatekeeper
that all workers share, so that rates and caps hold for the run and not per worker, and workers with
a ledger each.  When a worker dies, its replacement is started on the same machine, where it first
commits what the dead one had received; only then is what the dead one was asked asked again, of the
replacement, which finds those replies.  So nothing received is lost or bought twice.  Where the
machine is gone too, the run ends: its next parts would count replies that nobody holds.
"""

import asyncio
import logging
import threading
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from types import TracebackType
from typing import Any, Final, Self, TypeVar

from infra.pool.services import Place, Service, ServiceGoneError, Services, ServiceSpec, call
from infra.teacher.client import TeacherConfig
from infra.teacher.jobs import Job, SingleAsk
from infra.teacher.merged_stats import merged
from infra.teacher.permits import PermitsState
from infra.teacher.remote_gate import again
from infra.teacher.remote_worker import LedgerHome, WorkerPlan
from infra.teacher.stats import TeacherStats
from infra.teacher.types import Request, Response
from sightline.errors import PoolError, SightlineError, TeacherError

GATEKEEPER: Final = "infra.teacher.remote_gate:GatekeeperService"
WORKER: Final = "infra.teacher.remote_worker:AskingWorker"
START_S: Final = 120.0
MESSAGE_S: Final = 30.0
CLOSE_MARGIN_S: Final = 60.0
"""For the last flush, beyond the time that calls in flight may take."""

R = TypeVar("R")

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class CrewPlan:
    """What a crew is made of.

    Attributes:
        workers: how many processes ask.
        config: of the teacher in each of them; caps and limits are those of the crew.
        ledger: where calls are written down.
        num_cpus: cores that one worker reserves on a cluster.
        max_restarts: deaths in a row of one worker, without an answer between.
        flush_every_s: how often received answers leave a worker's machine; null is per part only.
    """

    workers: int
    config: TeacherConfig
    ledger: LedgerHome
    num_cpus: float = 1.0
    max_restarts: int = 6
    flush_every_s: float | None = None

    @property
    def limits(self) -> Mapping[str, Any]:
        """Return what the gatekeeper is built from; it sends nothing, so it gets no keys."""
        endpoints = [replace(endpoint, api_key=None) for endpoint in self.config.endpoints]
        return {"endpoints": endpoints, "caps": self.config.caps, "pace": self.config.pace}

    def worker(self, name: str) -> WorkerPlan:
        """Return what a worker is built from."""
        return WorkerPlan(
            name=name,
            config=replace(self.config, reserved=None),
            ledger=self.ledger,
            guards_batches=self.config.reserved is not None,
            flush_every_s=self.flush_every_s,
        )


class TeacherCrew:
    """Answers requests and jobs by workers; open one per run, and close it.

    Args:
        services: where gatekeeper and workers run.
        plan: what they are.

    Raises:
        PoolError: a process could not be started.
        TeacherError: a dollar cap is set and a model has no price; also `UsageError` as a teacher.
    """

    def __init__(self, services: Services, plan: CrewPlan) -> None:
        self._plan = plan
        self._gatekeeper = services.start(ServiceSpec(GATEKEEPER, plan.limits), START_S)
        self._lock = threading.Lock()
        self._is_closed = False
        self._broken: SightlineError | None = None
        self._counts = _Counts(self._gatekeeper)
        self._seats: list[_Seat] = []
        try:
            with ThreadPoolExecutor(plan.workers) as threads:
                seats = [
                    threads.submit(_Seat, number, plan, services, self._gatekeeper)
                    for number in range(plan.workers)
                ]
            self._seats = [seat.result() for seat in seats]
        except BaseException:
            self._gatekeeper.stop()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def stats(self) -> TeacherStats:
        """Return the counts of all workers, a moment old; from any thread, without waiting."""
        if not self._is_closed:
            self._counts.look(self._seats)
        return self._counts.now

    async def ask(self, request: Request) -> Response:
        """Return what became of `request`; raises as a teacher does."""
        return await self.run(lambda: SingleAsk(request))

    async def run(self, make_job: Callable[[], Job[R]]) -> R:
        """Return what came of a job; from any event loop.

        Args:
            make_job: gives the job; asked again if its worker dies, so that what a job holds is in
                memory here only while it is sent.

        Raises:
            TeacherError: as a teacher does, or the crew is closed.
            PoolError: a worker died too often.
        """
        seat = self._take_seat()
        try:
            while True:
                worker = seat.worker
                try:
                    result: R = await call(worker, "run", make_job())
                except ServiceGoneError as exc:
                    await asyncio.to_thread(self._replace, seat, worker, str(exc))
                except TeacherError as exc:
                    self._stop(exc)
                    raise
                else:
                    seat.deaths_in_a_row = 0
                    return result
        finally:
            with self._lock:
                seat.jobs -= 1

    def flush(self) -> None:
        """Commit everything that any worker received so far.

        Raises:
            LakeError: the lake refuses; what was received stays in the spools.
            TeacherError: some of it lies on a machine that cannot be reached any more.
            PoolError: a worker died too often.
        """
        workers = [(seat, seat.worker) for seat in self._seats]
        flushed = [worker.submit("flush") for _, worker in workers]
        for (seat, worker), done in zip(workers, flushed, strict=True):
            try:
                done.result()
            except ServiceGoneError as exc:
                self._replace(seat, worker, str(exc))  # its successor commits what it received
        if self._broken is not None:
            raise again(self._broken)

    def close(self) -> None:
        """Let calls in flight arrive, commit everything and end the workers; idempotent."""
        with self._lock:
            if self._is_closed:
                return
            self._is_closed = True
        longest_s = max(endpoint.timeout_s for endpoint in self._plan.config.endpoints)
        finished = [(seat.worker, seat.worker.submit("finish")) for seat in self._seats]
        errors = [self._end(*each, longest_s + CLOSE_MARGIN_S) for each in finished]
        self._counts.take_state(self._gatekeeper.submit("state"))
        self._gatekeeper.stop()
        for error in errors:
            if error is not None:
                raise error

    def _end(
        self, worker: Service, finished: "Future[TeacherStats]", timeout_s: float
    ) -> SightlineError | None:
        """Wait for the end of a worker; return why it could not finish."""
        try:
            finished.result(timeout_s)
        except ServiceGoneError as exc:
            logger.warning("an asking worker died; the next run recovers its answers: %s", exc)
        except TimeoutError:
            return TeacherError(f"an asking worker did not finish within {timeout_s:g} s")
        except SightlineError as exc:
            return exc
        else:
            self._counts.take(worker, finished)
        worker.stop()
        return None

    def _replace(self, seat: "_Seat", dead: Service, reason: str) -> None:
        """Put a new worker in the place of a dead one; where none can be, the run ends."""
        try:
            seat.replace(dead, reason)
        except SightlineError as exc:
            self._broken = self._broken or exc
            self._stop(exc)
            raise

    def _stop(self, error: SightlineError) -> None:
        """Let nobody send any more: what stops one worker stops all."""
        self._gatekeeper.submit("stop", error)

    def _take_seat(self) -> "_Seat":
        """Return the seat with the fewest jobs, with one more on it."""
        with self._lock:
            if self._is_closed:
                msg = "the teacher is closed; open a new one"
                raise TeacherError(msg)
            if self._broken is not None:
                raise again(self._broken)
            seat = min(self._seats, key=lambda each: each.jobs)
            seat.jobs += 1
            return seat


class _Seat:
    """One worker and those that replaced it."""

    def __init__(
        self, number: int, plan: CrewPlan, services: Services, gatekeeper: Service
    ) -> None:
        self._number, self._plan = number, plan
        self._services, self._gatekeeper = services, gatekeeper
        self._lock = threading.Lock()
        self._started = 0
        self.jobs = 0
        self.deaths_in_a_row = 0
        self.worker = self._start(Place())

    def replace(self, dead: Service, reason: str) -> None:
        """Put a new worker in the place of `dead`, once, whoever reports it first.

        Raises:
            PoolError: workers of this seat die again and again, or none can be started.
            TeacherError: what the dead one received lies where its successor does not look.
        """
        with self._lock:
            if self.worker is not dead:
                return
            self.deaths_in_a_row += 1
            logger.warning("asking worker %d died: %s", self._number, reason)
            held = self._gatekeeper.submit("drop", self._name).result(MESSAGE_S)
            logger.info("%d of its calls may be billed without an answer", held)
            if self.deaths_in_a_row > self._plan.max_restarts:
                msg = (
                    f"asking worker {self._number} died {self.deaths_in_a_row} times in a row "
                    f"without an answer between; the last time: {reason}. Give it more memory, or "
                    "lower the number of calls at once"
                )
                raise PoolError(msg)
            self.worker = self._start(dead.place)
            self._check_spool(dead.place)

    def _check_spool(self, old: Place) -> None:
        """Refuse to go on elsewhere with replies left behind: their rows would count."""
        if self.worker.place.node == old.node or self._plan.ledger.sharing.spool_in_lake:
            return
        msg = (
            f"the machine of asking worker {self._number} ({old.address}) is gone, and with it "
            "replies that were not committed yet: build again, and only those are bought again. "
            "With SIGHTLINE_SPOOL=lake a run survives the loss of a machine"
        )
        raise TeacherError(msg)

    @property
    def _name(self) -> str:
        return f"{self._number}.{self._started}"

    def _start(self, place: Place) -> Service:
        """Start a worker, if possible where `place` is: there lies what the last one received."""
        self._started += 1
        options = {"plan": self._plan.worker(self._name), "gatekeeper": self._gatekeeper}
        spec = ServiceSpec(WORKER, options, num_cpus=self._plan.num_cpus, node=place.node)
        return self._services.start(spec, START_S)


class _Counts:
    """The last known counts of workers and limits; looking asks for newer ones."""

    def __init__(self, gatekeeper: Service) -> None:
        self._gatekeeper = gatekeeper
        self._of: dict[Service, TeacherStats] = {}
        self._state = PermitsState()
        self._asked: list[Future[Any]] = []

    @property
    def now(self) -> TeacherStats:
        """Return what is known; a dead worker's counts are those it last told."""
        return merged(self._of.copy().values(), self._state)

    def look(self, seats: Iterable[_Seat]) -> None:
        """Ask for what is now, unless that is under way."""
        if not all(each.done() for each in self._asked):
            return
        self._asked = [self._gatekeeper.submit("state")]
        self._asked[0].add_done_callback(self.take_state)
        for worker in [seat.worker for seat in seats]:
            counts = worker.submit("stats")
            counts.add_done_callback(partial(self.take, worker))
            self._asked.append(counts)

    def take(self, worker: Service, done: "Future[TeacherStats]") -> None:
        """Keep what a worker told."""
        with suppress(ServiceGoneError, SightlineError):
            self._of[worker] = done.result()

    def take_state(self, done: "Future[PermitsState]") -> None:
        """Keep what the gatekeeper told."""
        with suppress(ServiceGoneError, SightlineError):
            self._state = done.result(MESSAGE_S)
