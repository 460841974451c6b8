"""A pool inside this process: for tests, small machines and `--pool local`.

Behaves as `RayPool` does, down to the code that orders, retries and isolates, with one exception
that no process can help: a row that kills the process kills all of it.  A batch that takes longer
than `Placement.batch_timeout_s` is waited for, because a thread cannot be ended.
"""

import threading
from concurrent.futures import Future

import pyarrow as pa

from infra.pool.crew_pool import CrewPool
from infra.pool.local_services import LocalServices
from infra.pool.worker_host import WorkerHost
from infra.pool.workers import BatchResult, Placement, WorkerSpec


class LocalPool(CrewPool):
    """`placement.workers` workers, each in a thread of this process."""

    def __init__(self, placement: Placement | None = None) -> None:
        """Use one worker unless `placement` says otherwise."""
        super().__init__(placement or Placement(), _ThreadWorker)
        self._services = LocalServices()

    @property
    def services(self) -> LocalServices:
        """Return the services of this run."""
        return self._services

    def close(self) -> None:
        """End all workers and services."""
        self._services.close()
        super().close()


class _Call:
    """A batch given to a worker of this process."""

    def __init__(self, host: WorkerHost, batch: pa.Table) -> None:
        self._host = host
        self._batch = batch
        self._future: Future[BatchResult] = Future()
        self._is_begun = host.is_concurrent
        if self._is_begun:
            threading.Thread(target=self._run, daemon=True).start()

    def wait(self) -> BatchResult:
        """Return the result; a batch that was not begun is worked on here and now."""
        if not self._is_begun:
            return self._host.run(self._batch)
        return self._future.result()

    def _run(self) -> None:
        try:
            self._future.set_result(self._host.run(self._batch))
        except BaseException as exc:  # noqa: BLE001 - travels to the thread that waits
            self._future.set_exception(exc)


class _ThreadWorker:
    """A worker that runs in the thread that waits for its result, or in one per batch."""

    def __init__(self, spec: WorkerSpec) -> None:
        self._spec = spec
        self._host: WorkerHost | None = None

    @property
    def is_placed(self) -> bool:
        """Return true: this process is the machine."""
        return True

    def is_ready(self, timeout_s: float) -> bool:
        """Build the worker here and now."""
        del timeout_s
        self._host = WorkerHost(self._spec)
        return True

    def submit(self, batch: pa.Table) -> _Call:
        """Return the batch, perhaps begun, as its ticket."""
        if self._host is None:
            self._host = WorkerHost(self._spec)
        return _Call(self._host, batch)

    def result(self, ticket: _Call, timeout_s: float) -> BatchResult:
        """Work on the batch, or wait for it."""
        del timeout_s
        return ticket.wait()

    def kill(self) -> None:
        """Leave the rest to the garbage collector."""
