"""Workers as Ray actors, on a Ray of our own or on a cluster; the only module that knows Ray.

Ray restarts nothing here: actors have `max_restarts=0` and `infra.pool.seat` replaces dead ones,
because only the driver can tell which batch killed them.  Two traps decide the shape of this
module.  Ray's own processes end when the *thread* that started them ends (Linux reports the death
of a thread as its parent's), so a keeper thread starts Ray and stays; and tables that a result
shares with the object store would fill it, so results are copied out.  See docs/adr/0004.
"""

import atexit
import logging
import os
import re
import threading
import time
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pyarrow as pa
import ray
from ray import exceptions as ray_errors

from infra.pool.crew_pool import CrewPool
from infra.pool.live_worker import WorkerDiedError
from infra.pool.local_pool import LocalPool
from infra.pool.worker_host import WorkerHost, describe
from infra.pool.workers import BatchResult, Placement, Pool, RowFailure, WorkerSpec
from infra.settings import Settings, process_environment
from sightline.errors import PoolError

PACKAGES = ("sightline", "infra", "tasks")
"""What a worker imports; sent to clusters whose machines do not have this version."""

CONNECT_S = 120.0
"""Longest wait for Ray to start or answer; 4-9 s is usual on 2 cores."""

THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")

_DEATHS = (
    ray_errors.RayActorError,
    ray_errors.ObjectLostError,
    ray_errors.WorkerCrashedError,
    ray_errors.NodeDiedError,
    ray_errors.OutOfMemoryError,
    ray_errors.TaskCancelledError,
)

_Reply = tuple[pa.Buffer | None, tuple[RowFailure, ...], int, str | None]
"""Table as an Arrow stream, failures, rows, and the text of a fatal error."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class RaySetup:
    """Which Ray to use.

    Fields:
        address: `ray://host:port` or `host:port` of a cluster; null starts a Ray of our own.
        num_cpus: cores that a Ray of our own may use; null means all.
        object_store_mb: memory for batches in flight in a Ray of our own.
        env: variables that workers need, such as those of an S3 endpoint.
        ships_code: send this project's packages to the machines of a cluster.
    """

    address: str | None = None
    num_cpus: int | None = None
    object_store_mb: int = 100
    env: Mapping[str, str] = field(default_factory=dict)
    ships_code: bool = True


class RayPool(CrewPool):
    """Workers on Ray; starts or joins Ray with the first map, or earlier with `start`."""

    def __init__(self, placement: Placement | None = None, setup: RaySetup | None = None) -> None:
        """Start nothing yet, so that a run with nothing to compute never starts Ray."""
        self._worker_placement = placement or Placement()
        self._ray = _RaySession(setup or RaySetup(), self._worker_placement)
        super().__init__(self._worker_placement, self._launch_actor)

    def start(self) -> None:
        """Start or join Ray now; call it from any thread, beside other start-up work.

        Raises:
            PoolError: Ray did not start, or the cluster does not answer, or no machine of a Ray of
                our own is large enough for one worker.
        """
        self._ray.start()

    def close(self) -> None:
        """End all workers, and Ray if it is ours."""
        super().close()
        self._ray.stop()

    def _launch_actor(self, spec: WorkerSpec) -> "_ActorWorker":
        self._ray.start()
        return _ActorWorker(spec, self._ray.actor_options)


def open_pool(settings: Settings) -> Pool:
    """Return the pool that `settings` names; nothing is started before its first use."""
    if settings.pool == "local":
        return LocalPool(settings.placement)
    setup = RaySetup(
        address=settings.ray_address,
        object_store_mb=settings.object_store_mb,
        env=process_environment(settings),
        ships_code=settings.ray_ships_code,
    )
    return RayPool(settings.placement, setup)


class _RaySession:
    """One connection to Ray, held by a thread of its own."""

    def __init__(self, setup: RaySetup, placement: Placement) -> None:
        self._setup = setup
        self._placement = placement
        self._lock = threading.Lock()
        self._keeper: threading.Thread | None = None
        self._is_up = threading.Event()
        self._is_over = threading.Event()
        self._error: str | None = None
        self._is_ours = True

    @property
    def actor_options(self) -> dict[str, Any]:
        """Return the options of every actor; on a Ray that others started, its variables too.

        On a Ray of our own cores are not reserved: the operating system shares them, where a
        reservation would make the steps of one laptop wait for each other.
        """
        is_own = self._setup.address is None
        options = {
            "num_cpus": 0 if is_own else self._placement.num_cpus,
            "num_gpus": self._placement.num_gpus,
            "max_restarts": 0,
            "max_task_retries": 0,
        }
        return options if self._is_ours else options | {"runtime_env": self._runtime_env()}

    def start(self) -> None:
        """Start or join Ray once; later calls return at once."""
        with self._lock:
            if self._is_over.is_set():
                msg = "the pool is closed; open a new one"
                raise PoolError(msg)
            if self._keeper is None:
                atexit.register(self.stop)
                self._keeper = threading.Thread(target=self._keep, name="ray-keeper", daemon=True)
                self._keeper.start()
        if not self._is_up.wait(CONNECT_S):
            self._error = f"no answer within {CONNECT_S:g} s"
        if self._error is not None:
            raise PoolError(self._explain(self._error))

    def stop(self) -> None:
        """Leave Ray, and end it if it is ours."""
        self._is_over.set()
        atexit.unregister(self.stop)
        if self._keeper is not None and self._keeper is not threading.current_thread():
            self._keeper.join(CONNECT_S)

    def _keep(self) -> None:
        """Hold Ray until `stop`; runs in the keeper thread."""
        self._is_ours = not ray.is_initialized()
        try:
            if self._is_ours:
                self._connect()
            self._check_size()
        except (Exception, SystemExit) as exc:  # noqa: BLE001 - any failure is told by `start`
            self._error = describe(exc)
        self._is_up.set()
        self._is_over.wait()
        if self._is_ours:
            ray.shutdown()

    def _connect(self) -> None:
        for name in ("ray", "ray.util.client"):
            logging.getLogger(name).setLevel(logging.ERROR)
        own = {
            "address": "local",  # never the cluster that a crashed run may have left behind
            "include_dashboard": False,
            "num_cpus": self._setup.num_cpus,
            "object_store_memory": max(self._setup.object_store_mb, 80) * 2**20,
        }
        where = own if self._setup.address is None else {"address": self._setup.address}
        try:
            self._init(where)
        except RuntimeError as exc:
            # A busy head now and then starts the process for a `ray://` client too late.
            if "Starting Ray client server failed" not in str(exc):
                raise
            ray.shutdown()
            self._init(where)

    def _init(self, where: Mapping[str, Any]) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # about Ray's own defaults
            ray.init(
                **where,
                log_to_driver=False,
                logging_level=logging.ERROR,
                runtime_env=self._runtime_env(),
            )

    def _runtime_env(self) -> dict[str, Any]:
        threads = str(max(1, int(self._placement.num_cpus)))
        variables = dict.fromkeys(THREAD_VARIABLES, threads) | dict(self._setup.env)
        if self._setup.address is None:
            return {"env_vars": variables | {"PYTHONPATH": os.pathsep.join(_project_roots())}}
        if not self._setup.ships_code:
            return {"env_vars": variables}
        return {"env_vars": variables, "py_modules": [str(path) for path in _project_packages()]}

    def _check_size(self) -> None:
        wanted = self._placement.num_gpus
        resources: dict[str, float] = ray.cluster_resources()  # type: ignore[no-untyped-call]
        found = resources.get("GPU", 0.0)
        if self._setup.address is None and wanted > found:
            msg = f"one worker wants {wanted:g} GPUs, this machine has {found:g}; set num_gpus"
            raise PoolError(msg)

    def _explain(self, error: str) -> str:
        if self._setup.address is None:
            return f"Ray could not be started on this machine: {error}"
        return (
            f"the Ray cluster at {self._setup.address!r} could not be used: {error}. Check the "
            "address, that its Ray and Python versions are the same as here, and that both sides "
            "have the same RAY_AUTH_MODE (`token`) and token"
        )


class _ActorWorker:
    """One Ray actor with one worker in it."""

    def __init__(self, spec: WorkerSpec, options: Mapping[str, Any]) -> None:
        actor_class: Any = ray.remote(_Host)
        self._actor = actor_class.options(**options).remote()
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
        """Send the batch; the actor works in the order of submission."""
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
        except _DEATHS as exc:
            logger.info("Ray on the death of a worker: %s", exc)
            raise WorkerDiedError(_death(exc)) from exc
        except (ray_errors.RayError, ConnectionError) as exc:
            msg = f"Ray failed: {describe(exc)}"
            raise PoolError(msg) from exc


class _Host:
    """Body of the actor; the worker's own exceptions never cross as exceptions."""

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


def _death(error: Exception) -> str:
    """Say how a worker died in words that are the same in every run: failures are stored."""
    text = str(error)
    if isinstance(error, ray_errors.OutOfMemoryError) or "due to memory pressure" in text:
        return "its process was ended because the machine ran out of memory"
    found = re.search(r"exit type: (\w+)", text)
    kind = found.group(1) if found else type(error).__name__
    return f"its process ended unexpectedly ({kind}): killed, out of memory, or a native crash"


def _pack(table: pa.Table) -> pa.Buffer:
    """Return the rows of `table` and nothing else: a slice's pickle may carry its whole parent."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue()


def _unpack(buffer: pa.Buffer) -> pa.Table:
    with pa.ipc.open_stream(buffer) as reader:
        return reader.read_all()


def _project_packages() -> list[Path]:
    specs = [find_spec(name) for name in PACKAGES]
    return [
        Path(where) for spec in specs if spec for where in spec.submodule_search_locations or ()
    ]


def _project_roots() -> list[str]:
    return sorted({str(path.parent) for path in _project_packages()})
