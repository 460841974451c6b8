"""What a pool runs and what it gives back: workers, their specification, and results per batch.

A worker is named by the dotted path of its factory and built where it runs, so the driver never
imports torch and a worker never imports Prefect.  Identity is kept apart from execution: a
`WorkerSpec` says what is computed, a `Placement` where and how fast, and only the first may enter
a fingerprint.  This module knows neither Ray nor any other engine.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any, Protocol

import pyarrow as pa

from sightline.errors import Failure, PoolError
from sightline.ids import canonical_json


@dataclass(frozen=True, slots=True)
class RowFailure:
    """One row that gave no output, and why."""

    item_id: str
    code: Failure
    detail: str


@dataclass(frozen=True, slots=True)
class WorkerOutput:
    """What a worker returns when some rows of the batch failed in a way it understands.

    Fields:
        table: payload rows of the step's table; any number per input row.
        failures: input rows that gave no output.
    """

    table: pa.Table
    failures: tuple[RowFailure, ...] = ()


class Worker(Protocol):
    """A loaded model or other expensive object that turns input rows into payload rows."""

    def __call__(self, batch: pa.Table) -> pa.Table | WorkerOutput:
        """Return the payload rows of `batch`.

        A `SightlineError` stops the whole step.  Any other exception makes the pool split the
        batch until the row that causes it stands alone.  A worker whose attribute `is_concurrent`
        is true is called with a second batch while it works on the first, from another thread.
        """
        ...


@dataclass(frozen=True, slots=True)
class WorkerSpec:
    """What is computed: equal specs share live workers.

    Fields:
        factory: `package.module:Name`, importable on the worker's machine.
        options: keyword arguments of the factory; JSON values only.
        key: input column that names a row, such as `image_id`.
    """

    factory: str
    options: Mapping[str, Any] = field(default_factory=dict)
    key: str = "image_id"

    @property
    def identity(self) -> str:
        """Return the canonical JSON of the specification.

        Raises:
            TypeError: an option has no stable JSON form.
        """
        return canonical_json([self.factory, dict(self.options), self.key])

    def build(self) -> Worker:
        """Import the factory and call it; runs where the worker lives.

        Raises:
            PoolError: the factory path is malformed or names nothing.
        """
        worker: Worker = import_factory(self.factory)(**self.options)
        return worker


def import_factory(path: str) -> Callable[..., Any]:
    """Return what a dotted path names.

    Raises:
        PoolError: the path is malformed or names nothing.
    """
    module_name, _, name = path.partition(":")
    if not module_name or not name:
        msg = f"expected a factory like 'package.module:Name', found {path!r}"
        raise PoolError(msg)
    factory: Callable[..., Any] | None = getattr(import_module(module_name), name, None)
    if factory is None:
        msg = f"module {module_name!r} has no factory {name!r}; check the spec's dotted path"
        raise PoolError(msg)
    return factory


@dataclass(frozen=True, slots=True)
class Placement:
    """Where and how fast workers run; never part of an identity.

    Fields:
        workers: live workers per spec.
        num_cpus: cores one worker may use; also its number of compute threads.
        num_gpus: GPUs one worker reserves; a fraction lets workers share one.
        max_restarts: deaths in a row, without one finished batch between, that a worker may have.
        batch_timeout_s: a batch that takes longer is treated as a death of its worker.
        start_timeout_s: longest wait for machines and for the model to load.
    """

    workers: int = 1
    num_cpus: float = 1.0
    num_gpus: float = 0.0
    max_restarts: int = 6
    batch_timeout_s: float = 900.0
    start_timeout_s: float = 600.0


@dataclass(frozen=True, slots=True)
class BatchResult:
    """What became of one batch.

    Fields:
        table: payload rows; if every row failed it has neither rows nor columns.
        failed: rows without output, those the worker named and those it raised on.
        rows: number of input rows, so that `rows - len(failed)` rows succeeded.
    """

    table: pa.Table
    failed: tuple[RowFailure, ...]
    rows: int


class Pool(Protocol):
    """Maps batches through workers that outlive the call."""

    @property
    def placement(self) -> Placement:
        """Return where and how fast its workers run."""
        ...

    def map(self, spec: WorkerSpec, batches: Iterable[pa.Table]) -> Iterator[BatchResult]:
        """Return one result per batch, in input order; `batches` is read lazily.

        Safe to call from several threads; equal specs share workers.

        Raises:
            PoolError: no worker could be built (raised before a batch is read), workers died too
                often, or a worker fails on every row.
        """
        ...

    def release(self, spec: WorkerSpec) -> bool:
        """End the workers of `spec`; False if they are in use or do not exist."""
        ...

    def close(self) -> None:
        """End all workers; safe to call twice."""
        ...
