"""Workers as Ray actors, on a Ray of our own or on a cluster.

Ray restarts nothing here: actors have `max_restarts=0` and `infra.pool.seat` replaces dead ones,
because only the driver can tell which batch killed them.  Tables that a result shares with the
object store would fill it, so results are copied out.  See docs/adr/0004.
"""

import logging
import time
from collections.abc import Mapping
from typing import Any

import pyarrow as pa
import ray
from ray import exceptions as ray_errors

from infra.pool.crew_pool import CrewPool
from infra.pool.live_worker import WorkerDiedError
from infra.pool.local_pool import LocalPool
from infra.pool.ray_services import RayServices
from infra.pool.ray_session import DEATHS, RaySession, RaySetup, death_of
from infra.pool.seat import IN_FLIGHT_PER_WORKER
from infra.pool.services import ServingPool
from infra.pool.worker_host import WorkerHost, describe
from infra.pool.workers import BatchResult, Placement, RowFailure, WorkerSpec
from infra.settings import Settings, process_environment
from sightline.errors import PoolError

_Reply = tuple[pa.Buffer | None, tuple[RowFailure, ...], int, str | None]
"""Table as an Arrow stream, failures, rows, and the text of a fatal error."""

logger = logging.getLogger(__name__)


class RayPool(CrewPool):
    """Workers on Ray; starts or joins Ray with the first map, or earlier with `start`."""

    def __init__(self, placement: Placement | None = None, setup: RaySetup | None = None) -> None:
        """Start nothing yet, so that a run with nothing to compute never starts Ray."""
        super().__init__(placement or Placement(), self._launch_actor)
        self._ray = RaySession(setup or RaySetup(), self._placement)
        self._services = RayServices(self._ray)

    @property
    def services(self) -> RayServices:
        """Return the services of this run, on the same Ray."""
        return self._services

    def start(self) -> None:
        """Start or join Ray now; call it from any thread, beside other start-up work.

        Raises:
            PoolError: Ray did not start, or the cluster does not answer, or no machine of a Ray of
                our own is large enough for one worker.
        """
        self._ray.start()

    def close(self) -> None:
        """End all workers and services, and Ray if it is ours."""
        self._services.close()
        super().close()
        self._ray.stop()

    def _launch_actor(self, spec: WorkerSpec) -> "_ActorWorker":
        self._ray.start()
        return _ActorWorker(
            spec, self._ray.actor_options(self._placement.num_cpus, self._placement.num_gpus)
        )


def open_pool(settings: Settings) -> ServingPool:
    """Return the pool that `settings` names; nothing is started before its first use."""
    if settings.pool == "local":
        return LocalPool(settings.placement)
    setup = RaySetup(
        address=settings.ray_address,
        object_store_mb=settings.object_store_mb + _pictures_mb(settings),
        env=process_environment(settings),
        ships_code=settings.ray_ships_code,
    )
    return RayPool(settings.placement, setup)


def _pictures_mb(settings: Settings) -> int:
    """Return the room for what is on its way to workers that ask: a picture of 1 MB per call."""
    return settings.teacher_concurrency if settings.teacher_workers else 0


class _ActorWorker:
    """One Ray actor with one worker in it."""

    def __init__(self, spec: WorkerSpec, options: Mapping[str, Any]) -> None:
        actor_class: Any = ray.remote(_Host)
        self._actor = actor_class.options(max_concurrency=IN_FLIGHT_PER_WORKER, **options).remote()
        self._placed = self._actor.ping.remote()
        plain = WorkerSpec(spec.factory, dict(spec.options), spec.key)
        self._built = self._actor.build.remote(plain)

    @property
    def is_placed(self) -> bool:
        """Tell whether the actor's process runs."""
        return bool(ray.wait([self._placed], timeout=0)[0])

    def is_ready(self, timeout_s: float) -> bool:
        """Wait for the worker to be built."""
        ready, _ = ray.wait([self._built], timeout=timeout_s)
        if not ready:
            return False
        error = self._get(self._built, timeout_s)
        if error is not None:
            raise PoolError(error)
        return True

    def submit(self, batch: pa.Table) -> Any:
        """Send the batch; the actor begins in the order of submission."""
        return self._actor.run.remote(_pack(batch))

    def result(self, ticket: Any, timeout_s: float) -> BatchResult:
        """Wait for a batch."""
        buffer, failed, rows, error = self._get(ticket, timeout_s)
        if error is not None:
            raise PoolError(error)
        return BatchResult(_unpack(pa.py_buffer(buffer.to_pybytes())), failed, rows)

    def kill(self) -> None:
        """End the actor's process."""
        try:
            ray.kill(self._actor)
        except (ray_errors.RayError, ValueError, RuntimeError, ConnectionError) as exc:
            logger.debug("an actor was gone before it was ended: %s", exc)

    def _get(self, ref: Any, timeout_s: float) -> Any:
        until = time.monotonic() + timeout_s
        try:
            return ray.get(ref, timeout=max(0.0, until - time.monotonic()))
        except ray_errors.GetTimeoutError as exc:
            msg = f"the batch took longer than {timeout_s:g} s"
            raise WorkerDiedError(msg) from exc
        except DEATHS as exc:
            logger.info("Ray on the death of a worker: %s", exc)
            raise WorkerDiedError(death_of(exc)) from exc
        except (ray_errors.RayError, ConnectionError) as exc:
            msg = f"Ray failed: {describe(exc)}"
            raise PoolError(msg) from exc


class _Host:
    """Body of the actor; the worker's own exceptions never cross as exceptions.

    `run` is called from as many threads as batches are in flight; `WorkerHost` gives a worker that
    is not concurrent its batches in turn.
    """

    def __init__(self) -> None:
        self._host: WorkerHost | None = None

    def ping(self) -> None:
        """Return, which tells the driver that the process runs."""

    def build(self, spec: WorkerSpec) -> str | None:
        """Build the worker; returns why it could not be."""
        try:
            self._host = WorkerHost(spec)
        except PoolError as exc:
            return str(exc)
        return None

    def run(self, batch: pa.Buffer) -> _Reply:
        """Work on a packed batch."""
        if self._host is None:
            return None, (), 0, "a batch came before the worker was built"
        try:
            result = self._host.run(_unpack(batch))
        except PoolError as exc:
            return None, (), 0, str(exc)
        return _pack(result.table), result.failed, result.rows, None


def _pack(table: pa.Table) -> pa.Buffer:
    """Return the rows of `table` and nothing else: a slice's pickle may carry its whole parent."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue()


def _unpack(buffer: pa.Buffer) -> pa.Table:
    with pa.ipc.open_stream(buffer) as reader:
        return reader.read_all()
