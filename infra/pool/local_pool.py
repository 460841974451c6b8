"""A pool inside this process: for tests, small machines and `--pool local`.

Behaves as `RayPool` does, down to the code that orders, retries and isolates, with one exception
that no process can help: a row that kills the process kills all of it.  A batch that takes longer
than `Placement.batch_timeout_s` is waited for, because a thread cannot be ended.
"""

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


class _ThreadWorker:
    """A worker that runs in the thread that waits for its result."""

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

    def submit(self, batch: pa.Table) -> pa.Table:
        """Return the batch itself as its ticket."""
        return batch

    def result(self, ticket: pa.Table, timeout_s: float) -> BatchResult:
        """Work on the batch."""
        del timeout_s
        if self._host is None:
            self._host = WorkerHost(self._spec)
        return self._host.run(ticket)

    def kill(self) -> None:
        """Leave the rest to the garbage collector."""
