"""Services: objects that live where they are placed and answer calls for as long as a run lasts.

A batch worker maps tables and may be replaced at any time; a service keeps state (the limits of a
run, a model server, connections), so it is never restarted behind its user's back: calls to one
that is gone raise `ServiceGoneError`, and whoever knows what was lost decides.  A service's own
`SightlineError` arrives as it is; any other exception becomes a `PoolError` with its text.
"""

import asyncio
import inspect
from collections.abc import Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any, Protocol

from infra.pool.worker_host import describe
from infra.pool.workers import Pool, import_factory
from sightline.errors import PoolError, SightlineError

START_TIMEOUT_S = 600.0
CLOSE_TIMEOUT_S = 30.0


class ServiceGoneError(Exception):
    """The service's process is gone, and what it held in memory with it."""


class BuildDiedError(PoolError):
    """The process ended while the service was built; another start may succeed."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a service runs.

    Attributes:
        node: the engine's name of the machine.
        address: an address of it that the run's other machines reach.
    """

    node: str = ""
    address: str = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class ServiceSpec:
    """What a service is built from, and what it needs.

    Attributes:
        factory: `package.module:Name`, called as `Name(place, **options)` where the service runs;
            its methods may be coroutines, which run in one event loop.
        options: values that pickle, among them other services.
        num_cpus: cores it reserves on a cluster.
        num_gpus: GPUs it reserves; they are the only ones it sees.
        concurrency: most calls at once.
        node: machine to prefer, as `Place.node` names it; empty leaves it open.
    """

    factory: str
    options: Mapping[str, Any] = field(default_factory=dict)
    num_cpus: float = 0.0
    num_gpus: float = 0.0
    concurrency: int = 4096
    node: str = ""

    def build(self, place: Place) -> Any:
        """Return the object; runs where the service lives."""
        return import_factory(self.factory)(place, **self.options)


class Service(Protocol):
    """A handle of a running service; pickles, so that services may hold each other."""

    @property
    def place(self) -> Place:
        """Where it runs."""
        ...

    def submit(self, method: str, *arguments: Any) -> "Future[Any]":
        """Call `method`; the future raises what it raised, or `ServiceGoneError`."""
        ...

    def stop(self, timeout_s: float = CLOSE_TIMEOUT_S) -> None:
        """Let its `close` method run, if it has one, and end it; safe on a dead one."""
        ...


class Services(Protocol):
    """Starts services; they end with the pool that started them, or with the driver."""

    def start(self, spec: ServiceSpec, timeout_s: float = START_TIMEOUT_S) -> Service:
        """Return the service once it is built.

        Raises:
            PoolError: no machine has what it needs, or its factory raised.
            BuildDiedError: its process ended meanwhile.
        """
        ...


class ServingPool(Pool, Protocol):
    """A pool that also runs services, on the same machines."""

    @property
    def services(self) -> Services:
        """The services of this run; the pool ends them when it is closed."""
        ...


async def call(service: Service, method: str, *arguments: Any) -> Any:
    """Return what `method` of `service` returns; from any event loop."""
    return await asyncio.wrap_future(service.submit(method, *arguments))


class ServiceHost:
    """Builds the object and makes its calls; no exception crosses as one."""

    def __init__(self) -> None:
        self._service: Any = None

    async def build(self, spec: ServiceSpec, place: Place) -> SightlineError | None:
        """Build the object in a thread; return why it could not be."""
        try:
            self._service = await asyncio.to_thread(spec.build, place)
        except Exception as exc:  # noqa: BLE001 - the worker host is the border named in STYLE
            return as_error(exc, f"service {spec.factory} could not be built")
        return None

    async def call(
        self, method: str, arguments: tuple[Any, ...]
    ) -> tuple[Any, SightlineError | None]:
        """Return what a method returns, or what it raised."""
        try:
            result = getattr(self._service, method)(*arguments)
            return (await result if inspect.isawaitable(result) else result), None
        except Exception as exc:  # noqa: BLE001 - as above
            return None, as_error(exc, f"{type(self._service).__name__}.{method} failed")

    async def close(self) -> None:
        """Run the object's own `close`, if it has one."""
        if hasattr(self._service, "close"):
            await self.call("close", ())


def as_error(error: Exception, context: str) -> SightlineError:
    """Return an error that means the same wherever it arrives."""
    if isinstance(error, SightlineError):
        return error
    return PoolError(f"{context}: {describe(error)}")
