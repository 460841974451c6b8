"""Services as Ray actors: each has a process and an event loop of its own, beside its GPUs.

An actor ends with its driver, whatever ends the driver, so no run leaves services behind.  Its
exceptions cross as values (`ServiceHost`), because Ray would wrap them in types of its own; what
Ray itself raises means that the process is gone.
"""

import asyncio
import logging
from concurrent.futures import Future
from typing import Any

import ray
from ray import exceptions as ray_errors
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from infra.pool.ray_session import DEATHS, RaySession, death_of
from infra.pool.services import (
    CLOSE_TIMEOUT_S,
    START_TIMEOUT_S,
    BuildDiedError,
    Place,
    ServiceGoneError,
    ServiceHost,
    ServiceSpec,
)
from infra.pool.worker_host import describe
from sightline.errors import PoolError

PLACED_TIMEOUT_S = 300.0
"""Longest wait for a machine with what a service needs; a cluster may have to grow for it."""

logger = logging.getLogger(__name__)


class RayServices:
    """Starts services on the Ray of a pool."""

    def __init__(self, session: RaySession) -> None:
        self._session = session
        self._started: list[RayService] = []

    def start(self, spec: ServiceSpec, timeout_s: float = START_TIMEOUT_S) -> "RayService":
        """Return the service once it is built; see `infra.pool.services.Services`."""
        self._session.start()
        self._session.check_gpus(spec.num_gpus)
        actor = self._launch(spec)
        try:
            place = self._place_of(actor, spec, min(timeout_s, PLACED_TIMEOUT_S))
            error = ray.get(actor.build.remote(spec, place), timeout=timeout_s)
        except ray_errors.GetTimeoutError:
            error = PoolError(f"service {spec.factory} was not built within {timeout_s:g} s")
        except DEATHS as exc:
            error = BuildDiedError(f"service {spec.factory} died when built: {death_of(exc)}")
        except PoolError as exc:
            error = exc
        if error is not None:
            _kill(actor)
            raise error
        service = RayService(actor, place)
        self._started.append(service)
        return service

    def close(self) -> None:
        """End them, the last first."""
        while self._started:
            self._started.pop().stop()

    def _launch(self, spec: ServiceSpec) -> Any:
        options = self._session.actor_options(spec.num_cpus, spec.num_gpus)
        options["max_concurrency"] = spec.concurrency
        if spec.node:
            options["scheduling_strategy"] = NodeAffinitySchedulingStrategy(spec.node, soft=True)
        actor_class: Any = ray.remote(_ServiceActor)
        return actor_class.options(**options).remote()

    def _place_of(self, actor: Any, spec: ServiceSpec, timeout_s: float) -> Place:
        """Return where the actor runs, once it does.

        Raises:
            PoolError: no machine had room for it in time.
        """
        placed = actor.where.remote()
        if not ray.wait([placed], timeout=timeout_s)[0]:
            msg = (
                f"no machine had room for service {spec.factory} within {timeout_s:g} s; it wants "
                f"{spec.num_cpus:g} CPUs and {spec.num_gpus:g} GPUs: ask for less, or add machines"
            )
            raise PoolError(msg)
        node, address = ray.get(placed)
        return Place(node, Place().address if self._session.is_own else address)


class RayService:
    """A handle of one actor; may be passed to other services."""

    def __init__(self, actor: Any, place: Place) -> None:
        self._actor = actor
        self.place = place

    def submit(self, method: str, *arguments: Any) -> "Future[Any]":
        """Call `method` of the service."""
        answer: Future[Any] = Future()
        answer.set_running_or_notify_cancel()
        asked = self._actor.call.remote(method, arguments).future()
        asked.add_done_callback(lambda done: _settle(done, answer))
        return answer

    def stop(self, timeout_s: float = CLOSE_TIMEOUT_S) -> None:
        """Let it close and end its process; safe on a dead one."""
        try:
            ray.wait([self._actor.close.remote()], timeout=timeout_s)
        except (ray_errors.RayError, ValueError, RuntimeError, ConnectionError) as exc:
            logger.debug("a service was gone before it was closed: %s", exc)
        _kill(self._actor)


class _ServiceActor(ServiceHost):
    """Body of the actor; coroutines make Ray give it an event loop."""

    async def where(self) -> tuple[str, str]:
        """Return the node and its address."""
        context = ray.get_runtime_context()
        return context.get_node_id(), await asyncio.to_thread(ray.util.get_node_ip_address)


def _settle(done: "Future[Any]", answer: "Future[Any]") -> None:
    try:
        value, error = done.result()
    except DEATHS as exc:
        error = ServiceGoneError(death_of(exc))
    except Exception as exc:  # noqa: BLE001 - raised in a callback it would be lost
        error = PoolError(f"Ray failed: {describe(exc)}")
    if error is None:
        answer.set_result(value)
    else:
        answer.set_exception(error)


def _kill(actor: Any) -> None:
    try:
        ray.kill(actor)
    except (ray_errors.RayError, ValueError, RuntimeError, ConnectionError) as exc:
        logger.debug("a service was gone before it was ended: %s", exc)
