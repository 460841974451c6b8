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
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Final, TypeVar

from infra.pool.services import Service, ServiceGoneError, Services, ServiceSpec, call
from infra.teacher.crew_counts import Counts
from infra.teacher.crew_seat import START_S, CrewPlan, Seat
from infra.teacher.jobs import Job, SingleAsk
from infra.teacher.stats import TeacherStats
from infra.teacher.stop_sign import again
from infra.teacher.types import Request, Response
from sightline.closable import Closable
from sightline.errors import SightlineError, TeacherError

GATEKEEPER: Final = "infra.teacher.remote_gate:GatekeeperService"
CLOSE_MARGIN_S: Final = 60.0
"""For the last flush, beyond the time that calls in flight may take."""

R = TypeVar("R")

logger = logging.getLogger(__name__)


class TeacherCrew(Closable):
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
        self._counts = Counts(self._gatekeeper)
        self._seats: list[Seat] = []
        try:
            with ThreadPoolExecutor(plan.workers) as threads:
                seats = [
                    threads.submit(Seat, number, plan, services, self._gatekeeper)
                    for number in range(plan.workers)
                ]
            self._seats = [seat.result() for seat in seats]
        except BaseException:
            self._gatekeeper.stop()
            raise

    @property
    def stats(self) -> TeacherStats:
        """Return the counts of all workers, a moment old; from any thread, without waiting."""
        if not self._is_closed:
            self._counts.look([seat.worker for seat in self._seats])
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

    def _replace(self, seat: Seat, dead: Service, reason: str) -> None:
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

    def _take_seat(self) -> Seat:
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
