"""The engine-free half of every pool: crews by specification, and results in input order.

Equal specs share one crew however many threads map over them, and a crew outlives its maps so
that a model loads once per run, not once per part.  Memory is bounded: a map holds at most
`WINDOW_PER_WORKER` batches or results per worker, because a slow batch must not let finished
ones pile up behind it.
"""

import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator

import pyarrow as pa

from infra.pool.crew import Crew
from infra.pool.live_worker import Job, LiveWorker
from infra.pool.workers import BatchResult, Placement, WorkerSpec
from sightline.closable import Closable
from sightline.errors import Failure, PoolError

WINDOW_PER_WORKER = 4
"""Twice what a worker holds, so that it goes on while an earlier batch is late."""

SYSTEMATIC_ROWS = 8
"""A map of at least this many rows in which the worker raised on every single one is an error:
committed as failures, the rows of such a part would never be computed again."""

CLOSE_S = 15.0
"""Longest wait for worker threads to end."""


class CrewPool(Closable):
    """Keeps one crew per specification; `RayPool` and `LocalPool` say how a worker starts."""

    def __init__(self, placement: Placement, launch: Callable[[WorkerSpec], LiveWorker]) -> None:
        """Start nothing yet."""
        self._placement = placement
        self._launch = launch
        self._crews: dict[str, Crew] = {}
        self._waiting: set[str] = set()
        self._lock = threading.RLock()
        self._is_closed = False

    @property
    def placement(self) -> Placement:
        """Return where and how fast its workers run."""
        return self._placement

    def map(self, spec: WorkerSpec, batches: Iterable[pa.Table]) -> Iterator[BatchResult]:
        """Return one result per batch, in input order; `batches` is read lazily.

        Workers are built before this returns, so a factory that cannot work costs no batch.

        Raises:
            PoolError: as `infra.pool.workers.Pool` says; after the first result it comes from
                iteration.
        """
        crew = self._enter(spec)
        try:
            crew.wait_ready()
        finally:
            self._leave(crew)
        return self._stream(spec, batches)

    def release(self, spec: WorkerSpec) -> bool:
        """End the workers of `spec`; False if they are in use or do not exist."""
        with self._lock:
            crew = self._crews.get(spec.identity)
            if crew is None or crew.users:
                return False
            self._drop(crew)
        crew.join(CLOSE_S)
        return True

    def close(self) -> None:
        """End all workers; a map still running raises `PoolError`."""
        with self._lock:
            self._is_closed = True
            crews = list(self._crews.values())
            for crew in crews:
                self._drop(crew)
        for crew in crews:
            crew.join(CLOSE_S)

    def _enter(self, spec: WorkerSpec) -> Crew:
        with self._lock:
            if self._is_closed:
                msg = "the pool is closed; open a new one"
                raise PoolError(msg)
            crew = self._crews.get(spec.identity)
            if crew is None or crew.is_closed:
                crew = Crew(spec, self._placement, self._launch, self._make_room)
                self._crews[spec.identity] = crew
            crew.users += 1
            return crew

    def _leave(self, crew: Crew) -> None:
        with self._lock:
            crew.users -= 1
            self._waiting.discard(crew.spec.identity)
            if self._waiting and not crew.users:
                self._drop(crew)

    def _drop(self, crew: Crew) -> None:
        crew.close()
        if self._crews.get(crew.spec.identity) is crew:
            del self._crews[crew.spec.identity]

    def _make_room(self, waiting: Crew) -> bool:
        """End idle crews for one that finds no machine; True if others are at work meanwhile."""
        with self._lock:
            others = [crew for crew in self._crews.values() if crew is not waiting]
            if not others:
                return False
            self._waiting.add(waiting.spec.identity)
            for crew in others:
                if not crew.users:
                    self._drop(crew)
            return any(crew.users for crew in others)

    def _stream(self, spec: WorkerSpec, batches: Iterable[pa.Table]) -> Iterator[BatchResult]:
        crew = self._enter(spec)
        window: deque[Job] = deque()
        tally = _Tally(spec)
        try:
            for batch in batches:
                window.append(_job(crew, batch))
                while window and (window[0].is_done or len(window) >= self._window):
                    yield tally.add(window.popleft().wait())
            while window:
                yield tally.add(window.popleft().wait())
            tally.check()
        finally:
            crew.cancel(window)
            self._leave(crew)

    @property
    def _window(self) -> int:
        return WINDOW_PER_WORKER * self._placement.workers


def _job(crew: Crew, batch: pa.Table) -> Job:
    if batch.num_rows:
        return crew.submit(batch)
    job = Job(batch)
    job.finish(BatchResult(pa.table({}), (), 0))
    return job


class _Tally:
    """Counts rows of one map, to tell a broken worker from bad rows."""

    def __init__(self, spec: WorkerSpec) -> None:
        self._spec = spec
        self._rows = 0
        self._blamed = 0
        self._last = ""

    def add(self, result: BatchResult) -> BatchResult:
        """Count `result` and return it."""
        blamed = [failed for failed in result.failed if failed.code is Failure.WORKER_ERROR]
        self._rows += result.rows
        self._blamed += len(blamed)
        if blamed:
            self._last = blamed[-1].detail
        return result

    def check(self) -> None:
        """Raise if the worker raised on every row of a map that is long enough to tell."""
        if self._rows == self._blamed and self._rows >= SYSTEMATIC_ROWS:
            msg = (
                f"worker {self._spec.factory} failed on all {self._rows} rows, so the worker is "
                f"at fault and not the rows; the last failure: {self._last}"
            )
            raise PoolError(msg)
