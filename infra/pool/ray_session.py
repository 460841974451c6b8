"""One connection to Ray, a Ray of our own or a cluster, shared by everything of a run that uses it.

Two traps decide its shape.  Ray's own processes end when the *thread* that started them ends (Linux
reports the death of a thread as its parent's), so a keeper thread starts Ray and stays.  And Ray
restarts nothing here: actors have `max_restarts=0`, because only the driver can tell what a dead
one was working on.  See docs/adr/0004.
"""

import atexit
import logging
import os
import re
import threading
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import ray
from ray import exceptions as ray_errors

from infra.pool.worker_host import describe
from infra.pool.workers import Placement
from sightline.errors import PoolError

PACKAGES = ("sightline", "infra", "tasks")
"""What a worker imports; sent to clusters whose machines do not have this version."""

CONNECT_S = 120.0
"""Longest wait for Ray to start or answer; 4-9 s is usual on 2 cores."""

THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")

DEATHS = (
    ray_errors.RayActorError,
    ray_errors.ObjectLostError,
    ray_errors.WorkerCrashedError,
    ray_errors.NodeDiedError,
    ray_errors.OutOfMemoryError,
    ray_errors.TaskCancelledError,
)
"""What Ray raises when the process that was to answer is gone."""


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


class RaySession:
    """One connection to Ray, held by a thread of its own; starts with its first use."""

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
    def is_own(self) -> bool:
        """Tell whether Ray runs on this machine only, started for this run."""
        return self._setup.address is None

    def actor_options(self, num_cpus: float, num_gpus: float) -> dict[str, Any]:
        """Return the options of an actor; on a Ray that others started, its variables too.

        On a Ray of our own cores are not reserved: the operating system shares them, where a
        reservation would make the steps of one laptop wait for each other.
        """
        options = {
            "num_cpus": 0 if self.is_own else num_cpus,
            "num_gpus": num_gpus,
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

    def check_gpus(self, wanted: float) -> None:
        """Refuse what a Ray of our own can never place; a cluster may grow.

        Raises:
            PoolError: this machine has fewer GPUs.
        """
        resources: dict[str, float] = ray.cluster_resources()  # type: ignore[no-untyped-call]
        found = resources.get("GPU", 0.0)
        if self.is_own and wanted > found:
            msg = f"one worker wants {wanted:g} GPUs, this machine has {found:g}; set num_gpus"
            raise PoolError(msg)

    def _keep(self) -> None:
        """Hold Ray until `stop`; runs in the keeper thread."""
        self._is_ours = not ray.is_initialized()
        try:
            if self._is_ours:
                self._connect()
            self.check_gpus(self._placement.num_gpus)
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
        where = own if self.is_own else {"address": self._setup.address}
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
        if self.is_own:
            return {"env_vars": variables | {"PYTHONPATH": os.pathsep.join(_project_roots())}}
        if not self._setup.ships_code:
            return {"env_vars": variables}
        return {"env_vars": variables, "py_modules": [str(path) for path in _project_packages()]}

    def _explain(self, error: str) -> str:
        if self.is_own:
            return f"Ray could not be started on this machine: {error}"
        return (
            f"the Ray cluster at {self._setup.address!r} could not be used: {error}. Check the "
            "address, that its Ray and Python versions are the same as here, and that both sides "
            "have the same RAY_AUTH_MODE (`token`) and token"
        )


def death_of(error: Exception) -> str:
    """Say how a worker died in words that are the same in every run: failures are stored."""
    text = str(error)
    if isinstance(error, ray_errors.OutOfMemoryError) or "due to memory pressure" in text:
        return "its process was ended because the machine ran out of memory"
    found = re.search(r"exit type: (\w+)", text)
    kind = found.group(1) if found else type(error).__name__
    return f"its process ended unexpectedly ({kind}): killed, out of memory, or a native crash"


def _project_packages() -> list[Path]:
    specs = [find_spec(name) for name in PACKAGES]
    return [
        Path(where) for spec in specs if spec for where in spec.submodule_search_locations or ()
    ]


def _project_roots() -> list[str]:
    return sorted({str(path.parent) for path in _project_packages()})
