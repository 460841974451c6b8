"""The seam between a crew and an engine: a started worker, and a batch on its way to one.

An engine (Ray, or threads of this process) implements `LiveWorker`; everything above it, the
retries and the order, is the same for all engines.
"""

import threading
from typing import Any, Protocol

import pyarrow as pa

from infra.pool.workers import BatchResult
from sightline.errors import PoolError

POLL_S = 0.5
"""Waits are cut this short so that cancellation, which arrives as an exception, gets in."""


class WorkerDiedError(Exception):
    """The worker's process is gone or hangs; its batch may be tried elsewhere."""


class LiveWorker(Protocol):
    """A started worker, wherever it runs."""

    @property
    def is_placed(self) -> bool:
        """Tell whether a machine was found for it."""
        ...

    def is_ready(self, timeout_s: float) -> bool:
        """Wait up to `timeout_s` for the worker to be built.

        Raises:
            PoolError: the factory failed.
            WorkerDiedError: the process ended while building.
        """
        ...

    def submit(self, batch: pa.Table) -> Any:
        """Return a ticket for the result; batches are begun in the order submitted."""
        ...

    def result(self, ticket: Any, timeout_s: float) -> BatchResult:
        """Wait for the result of a ticket.

        Raises:
            PoolError: the worker stopped the step.
            WorkerDiedError: the process ended, or took longer than `timeout_s`.
        """
        ...

    def kill(self) -> None:
        """End the worker at once; safe on a dead one."""
        ...


class Job:
    """One batch on its way through a crew."""

    __slots__ = ("_done", "_error", "_result", "batch", "deaths", "is_suspect")

    def __init__(self, batch: pa.Table) -> None:
        self.batch = batch
        self.deaths = 0
        self.is_suspect = False
        self._done = threading.Event()
        self._result: BatchResult | None = None
        self._error: str | None = None

    @property
    def is_done(self) -> bool:
        """Tell whether `wait` would return at once."""
        return self._done.is_set()

    def finish(self, result: BatchResult) -> None:
        """Deliver the result."""
        self._result = result
        self._done.set()

    def fail(self, message: str) -> None:
        """Make `wait` raise `PoolError(message)`; a finished job stays finished."""
        if not self.is_done:
            self._error = message
            self._done.set()

    def wait(self) -> BatchResult:
        """Return the result, waiting for it if need be."""
        while not self._done.wait(POLL_S):
            pass
        if self._result is None:
            raise PoolError(self._error)
        return self._result
