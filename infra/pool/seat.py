"""The seat of one worker in a crew: starts it, feeds it, replaces it, and says who is to blame.

A seat keeps up to `IN_FLIGHT_PER_WORKER` batches waiting at its worker and takes results in
order, so the batch at the head is the one a death is blamed on.  That batch is retried whole
once, by any worker; if its worker dies again it runs row by row in a fresh worker, and a row that
kills that one too is blamed.  Batches behind the head are retried without blame.
"""

import logging
import threading
import time
from collections import deque
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from infra.pool.live_worker import POLL_S, Job, LiveWorker, WorkerDiedError
from infra.pool.worker_host import blame, is_wholly_blamed, merge
from infra.pool.workers import BatchResult
from sightline.errors import PoolError

if TYPE_CHECKING:
    from infra.pool.crew import Crew

IN_FLIGHT_PER_WORKER = 2
"""One batch being worked on and one waiting beside it, so that a worker never idles; a worker that
is `is_concurrent` works on both.  Then a death may be blamed on the head though the other batch
caused it: the head is tried row by row, keeps all its rows, and the guilty batch is next."""

DEATHS_BEFORE_ISOLATION = 2
"""The first death may be the machine's; the second on the same batch points at one of its rows."""

TRUSTED_AFTER = 3
"""Batches in a row that fresh workers confirmed to hold only bad rows; further ones are believed
without another worker, so that a source of nothing but bad rows does not reload the model for ever.
"""

MAKE_ROOM_AFTER_S = 5.0
"""Longer than a worker process takes to start, so a longer wait means that no machine is free."""

logger = logging.getLogger(__name__)


class Seat(threading.Thread):
    """The thread of one worker, and of those that replace it when it dies."""

    def __init__(self, crew: "Crew", number: int) -> None:
        super().__init__(name=f"seat-{number}-{crew.spec.factory}", daemon=True)
        self._crew = crew
        self._worker: LiveWorker | None = None
        self._held: deque[tuple[Job, Any]] = deque()
        self._deaths_in_a_row = 0
        self._is_ready = False
        self._confirmed_bad = 0

    def run(self) -> None:
        """Serve the crew until it closes; a failure here is a failure of the crew."""
        try:
            while self._fill():
                self._finish_head()
        except PoolError as exc:
            self._crew.close(str(exc))
        except Exception as exc:  # a seat must never leave its crew waiting for it
            logger.exception("a worker's thread failed")
            self._crew.close(f"the pool failed: {type(exc).__name__}: {exc}")
        finally:
            self.kill()
            for job, _ in self._held:
                job.fail(self._crew.failure or "the pool was closed")

    def kill(self) -> None:
        """End the worker, if there is one."""
        worker = self._worker
        if worker is not None:
            worker.kill()

    def _fill(self) -> bool:
        """Take as many jobs as this seat may hold; False once the crew is closed."""
        if self._worker is None and not self._start():
            return False
        while (job := self._crew.take(len(self._held))) is not None:
            self._submit(job)
        return bool(self._held) and not self._crew.is_closed

    def _submit(self, job: Job) -> None:
        self._held.append((job, self._ticket(job.batch)))

    def _ticket(self, batch: pa.Table) -> Any:
        return None if self._worker is None else self._worker.submit(batch)

    def _finish_head(self) -> None:
        job, ticket = self._held[0]
        try:
            result = self._result(ticket)
        except WorkerDiedError as exc:
            self._after_death(job, str(exc))
        except PoolError as exc:
            self._held.popleft()
            job.fail(str(exc))
        else:
            self._accept(job, result)

    def _accept(self, job: Job, result: BatchResult) -> None:
        is_bad = is_wholly_blamed(result)
        if is_bad and not job.is_suspect and self._confirmed_bad < TRUSTED_AFTER:
            # A model whose device context broke fails on every row from then on; a fresh one
            # tells such a batch from one that really holds only bad rows.
            logger.warning("a worker failed on all %d rows; trying a fresh one", result.rows)
            job.is_suspect = True
            self._replace()
            return
        self._held.popleft()
        self._deaths_in_a_row = 0
        self._confirmed_bad = self._confirmed_bad + 1 if is_bad else 0
        job.finish(result)

    def _after_death(self, job: Job, reason: str) -> None:
        if self._crew.is_closed:
            return
        job.deaths += 1
        self._count_death(reason)
        if job.deaths < DEATHS_BEFORE_ISOLATION:
            self._replace()
            return
        self._held.popleft()
        self._replace()
        try:
            job.finish(self._run_row_by_row(job.batch))
        except PoolError as exc:
            job.fail(str(exc))
            raise

    def _run_row_by_row(self, batch: pa.Table) -> BatchResult:
        return merge(self._run_alone(batch.slice(row, 1)) for row in range(batch.num_rows))

    def _run_alone(self, row: pa.Table) -> BatchResult:
        if self._worker is None and not self._start():
            raise PoolError(self._crew.failure or "the pool was closed")
        try:
            result = self._result(self._ticket(row))
        except WorkerDiedError as exc:
            self._count_death(str(exc))
            self._drop_worker()
            return blame(row, self._crew.spec.key, f"the worker died on this row alone: {exc}")
        self._deaths_in_a_row = 0
        return result

    def _result(self, ticket: Any) -> BatchResult:
        if self._worker is None:
            msg = "the worker is gone"
            raise WorkerDiedError(msg)
        return self._worker.result(ticket, self._crew.placement.batch_timeout_s)

    def _count_death(self, reason: str) -> None:
        self._deaths_in_a_row += 1
        limit = self._crew.placement.max_restarts
        logger.warning("a worker of %s died: %s", self._crew.spec.factory, reason)
        if self._deaths_in_a_row > limit:
            msg = (
                f"worker {self._crew.spec.factory} died {self._deaths_in_a_row} times in a row "
                f"without finishing a batch (at most {limit} restarts); the last time: {reason}. "
                "Give it more memory, smaller batches or fewer workers"
            )
            raise PoolError(msg)

    def _replace(self) -> None:
        """Drop the worker and hand back all held jobs but none that was taken out."""
        self._drop_worker()
        jobs = [job for job, _ in self._held]
        self._held.clear()
        self._crew.put_back(jobs)

    def _drop_worker(self) -> None:
        self.kill()
        self._worker = None
        if self._is_ready:
            self._is_ready = False
            self._crew.count_ready(-1)

    def _start(self) -> bool:
        """Start a worker; False if the crew closed meanwhile or does without this seat."""
        while not self._crew.is_closed:
            self._worker = self._crew.launch(self._crew.spec)
            try:
                is_built = self._await_worker(self._worker)
            except WorkerDiedError as exc:
                self._count_death(f"while it was built: {exc}")
                continue
            if is_built:
                self._is_ready = True
                self._crew.count_ready(1)
            return is_built
        return False

    def _await_worker(self, worker: LiveWorker) -> bool:
        waited_from = time.monotonic()
        while not self._crew.is_closed:
            if worker.is_ready(POLL_S):
                return True
            waited_s = time.monotonic() - waited_from
            if self._needs_room(worker, waited_s) and self._crew.make_room(self._crew):
                waited_from = time.monotonic() - MAKE_ROOM_AFTER_S
            elif waited_s > self._crew.placement.start_timeout_s:
                return self._give_up()
        return False

    def _needs_room(self, worker: LiveWorker, waited_s: float) -> bool:
        is_late = waited_s >= MAKE_ROOM_AFTER_S and not worker.is_placed
        return is_late and not self._crew.has_worker

    def _give_up(self) -> bool:
        placement = self._crew.placement
        msg = (
            f"no machine could build {self._crew.spec.factory} within "
            f"{placement.start_timeout_s:g} s; one worker wants {placement.num_cpus:g} CPUs and "
            f"{placement.num_gpus:g} GPUs: ask for less, or add machines to the cluster"
        )
        if not self._crew.has_worker:
            raise PoolError(msg)
        logger.warning("%s; going on with the workers that run", msg)
        return False
