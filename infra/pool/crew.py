"""A crew: the live workers of one specification and the queue they serve.

Shared by every thread that maps over that specification.  A worker takes a second batch only
while none of its fellows is idle, and what a dead worker held goes back to the front of the
queue, so that any of the others may take it.
"""

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable

import pyarrow as pa

from infra.pool.live_worker import POLL_S, Job, LiveWorker
from infra.pool.seat import IN_FLIGHT_PER_WORKER, Seat
from infra.pool.workers import Placement, WorkerSpec
from sightline.errors import PoolError


class Crew:
    """The workers of one spec; shared by every thread that maps over it."""

    def __init__(
        self,
        spec: WorkerSpec,
        placement: Placement,
        launch: Callable[[WorkerSpec], LiveWorker],
        make_room: Callable[["Crew"], bool],
    ) -> None:
        """Start `placement.workers` threads, each of which starts its worker.

        Args:
            spec: what each worker is built from.
            placement: how many there are and how long they may take.
            launch: start one worker without waiting for it.
            make_room: asked while this crew has no worker; frees idle workers of other crews and
                returns whether others are busy, in which case waiting goes on.
        """
        self.spec = spec
        self.placement = placement
        self.launch = launch
        self.make_room = make_room
        self.users = 0
        self.failure: str | None = None
        self.is_closed = False
        self._ready = 0
        self._idle = 0
        self._queue: deque[Job] = deque()
        self._changed = threading.Condition()
        self._seats = [Seat(self, number) for number in range(placement.workers)]
        for seat in self._seats:
            seat.start()

    @property
    def has_worker(self) -> bool:
        """Tell whether at least one worker is built and alive."""
        return self._ready > 0

    def wait_ready(self) -> None:
        """Return once one worker is built.

        Raises:
            PoolError: none could be.
        """
        with self._changed:
            while not self._ready:
                if self.failure is not None:
                    raise PoolError(self.failure)
                if self.is_closed:
                    msg = "the pool was closed while its workers started"
                    raise PoolError(msg)
                self._changed.wait(POLL_S)

    def submit(self, batch: pa.Table) -> Job:
        """Queue `batch`."""
        job = Job(batch)
        with self._changed:
            if self.is_closed:
                job.fail(self.failure or "the pool was closed")
            else:
                self._queue.append(job)
                self._changed.notify_all()
        return job

    def cancel(self, jobs: Iterable[Job]) -> None:
        """Forget queued jobs; those already at a worker run to their end unseen."""
        with self._changed:
            for job in jobs:
                if job in self._queue:
                    self._queue.remove(job)

    def close(self, failure: str | None = None) -> None:
        """End the workers and fail what is queued; returns before the threads have ended."""
        with self._changed:
            if self.is_closed:
                return
            self.is_closed = True
            self.failure = failure
            for job in self._queue:
                job.fail(failure or "the pool was closed")
            self._queue.clear()
            self._changed.notify_all()
        for seat in self._seats:
            seat.kill()

    def join(self, timeout_s: float) -> None:
        """Wait for the threads to end."""
        until = time.monotonic() + timeout_s
        for seat in self._seats:
            if seat is not threading.current_thread():
                seat.join(max(0.0, until - time.monotonic()))

    def take(self, held: int) -> Job | None:
        """Return a job for a seat that holds `held`, or null if it should go on with those.

        A seat takes a second job only if no other seat sits idle, so that the last batches of an
        input spread over all workers.  Null with `held == 0` means that the crew is closed.
        """
        with self._changed:
            while not self.is_closed:
                spare = len(self._queue) - self._idle if held else len(self._queue)
                if spare > 0 and held < IN_FLIGHT_PER_WORKER:
                    return self._queue.popleft()
                if held:
                    return None
                self._idle += 1
                self._changed.wait()
                self._idle -= 1
            return None

    def put_back(self, jobs: Iterable[Job]) -> None:
        """Queue jobs again, before all others and in their order."""
        with self._changed:
            for job in reversed(list(jobs)):
                if self.is_closed:
                    job.fail(self.failure or "the pool was closed")
                else:
                    self._queue.appendleft(job)
            self._changed.notify_all()

    def count_ready(self, change: int) -> None:
        """Record that a worker was built (1) or dropped (-1)."""
        with self._changed:
            self._ready += change
            self._changed.notify_all()
