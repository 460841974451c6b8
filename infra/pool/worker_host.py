"""Run a worker on batches where it lives, and isolate the rows it raises on.

A batch on which the worker raises is halved until the guilty rows stand alone, so one poison row
among n costs about 2 log2(n) extra calls and no other row is lost.  Splitting happens beside the
worker: the batch does not travel again.  A `SightlineError` is never split, because it says that
nothing of the step can work.
"""

import threading
from collections.abc import Iterable
from contextlib import AbstractContextManager, nullcontext

import pyarrow as pa

from infra.pool.workers import BatchResult, RowFailure, Worker, WorkerOutput, WorkerSpec
from sightline.errors import Failure, PoolError, SightlineError, clip_detail


def describe(error: BaseException) -> str:
    """Return `Type: message` as one line, with the causes behind it."""
    text = f"{type(error).__name__}: {error}"
    cause = error.__cause__
    return text if cause is None else f"{text} (caused by {describe(cause)})"


def row_name(batch: pa.Table, key: str) -> str:
    """Return the key of a one-row batch as text."""
    return str(batch.column(key)[0].as_py())


def blame(batch: pa.Table, key: str, detail: str) -> BatchResult:
    """Return the result of a one-row batch whose row cannot be worked on."""
    failure = RowFailure(row_name(batch, key), Failure.WORKER_ERROR, clip_detail(detail))
    return BatchResult(pa.table({}), (failure,), 1)


def merge(results: Iterable[BatchResult]) -> BatchResult:
    """Join results of consecutive slices of one batch, keeping their order."""
    listed = list(results)
    tables = [result.table for result in listed if result.table.num_columns]
    return BatchResult(
        pa.concat_tables(tables) if tables else pa.table({}),
        tuple(failure for result in listed for failure in result.failed),
        sum(result.rows for result in listed),
    )


def is_wholly_blamed(result: BatchResult) -> bool:
    """Tell whether the worker raised on every one of several rows, so may be broken itself."""
    blamed = sum(failure.code is Failure.WORKER_ERROR for failure in result.failed)
    return result.rows > 1 and blamed == result.rows


class WorkerHost:
    """One built worker and the specification it was built from.

    Attributes:
        is_concurrent: whether the worker takes two batches at once; others get them in turn.
    """

    def __init__(self, spec: WorkerSpec) -> None:
        """Build the worker.

        Raises:
            PoolError: the factory cannot be imported or raised; the text holds the real cause.
        """
        self._key = spec.key
        try:
            self._worker: Worker = spec.build()
        except Exception as exc:
            msg = f"worker {spec.factory} could not be built: {describe(exc)}"
            raise PoolError(msg) from exc
        self.is_concurrent = bool(getattr(self._worker, "is_concurrent", False))
        self._turn: AbstractContextManager[object] = (
            nullcontext() if self.is_concurrent else threading.Lock()
        )

    def run(self, batch: pa.Table) -> BatchResult:
        """Return what became of every row of `batch`.

        Raises:
            PoolError: the worker raised a `SightlineError`, or returned no table, or the batch
                has no key column.
        """
        if self._key not in batch.column_names:
            msg = f"expected a key column {self._key!r}, found {batch.column_names}"
            raise PoolError(msg)
        try:
            return self._call(batch)
        except SightlineError as exc:
            if isinstance(exc, PoolError):
                raise
            msg = f"the worker stopped the step: {describe(exc)}"
            raise PoolError(msg) from exc
        except Exception as exc:  # noqa: BLE001 - the worker host is the border named in STYLE
            return self._split(batch, exc)

    def _split(self, batch: pa.Table, error: Exception) -> BatchResult:
        if batch.num_rows == 1:
            return blame(batch, self._key, describe(error))
        middle = batch.num_rows // 2
        return merge([self.run(batch.slice(0, middle)), self.run(batch.slice(middle))])

    def _call(self, batch: pa.Table) -> BatchResult:
        with self._turn:
            output = self._worker(batch)
        if isinstance(output, WorkerOutput):
            return BatchResult(output.table, output.failures, batch.num_rows)
        if isinstance(output, pa.Table):
            return BatchResult(output, (), batch.num_rows)
        msg = f"expected a worker to return a table or WorkerOutput, found {type(output).__name__}"
        raise PoolError(msg)
