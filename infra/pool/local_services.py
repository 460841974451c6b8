"""Services as objects of this process, each with an event loop in a thread of its own.

Behave as those on Ray do, except that nothing can take them away: they are for tests, for machines
without Ray (`SIGHTLINE_POOL=local`) and for nothing whose point is a process of its own.
"""

import asyncio
import threading
from collections.abc import Coroutine
from concurrent.futures import Future
from typing import Any

from infra.pool.services import (
    CLOSE_TIMEOUT_S,
    START_TIMEOUT_S,
    Place,
    ServiceGoneError,
    ServiceHost,
    ServiceSpec,
)


class LocalServices:
    """Services as objects of this process, each with an event loop in a thread of its own."""

    def __init__(self) -> None:
        self._started: list[LocalService] = []

    def start(self, spec: ServiceSpec, timeout_s: float = START_TIMEOUT_S) -> "LocalService":
        """Build the service here; resources are not counted."""
        del timeout_s
        service = LocalService(spec)
        self._started.append(service)
        return service

    def close(self) -> None:
        """End them, the last first."""
        while self._started:
            self._started.pop().stop()


class LocalService:
    """One service of this process."""

    place = Place()

    def __init__(self, spec: ServiceSpec) -> None:
        self._host = ServiceHost()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        error = self._run(self._host.build(spec, self.place)).result()
        if error is not None:
            self.stop()
            raise error

    def submit(self, method: str, *arguments: Any) -> "Future[Any]":
        """Call `method` in the service's loop."""
        if self._loop.is_closed():
            return _failed(ServiceGoneError("the service was stopped"))
        return self._run(self._answer(method, arguments))

    def stop(self, timeout_s: float = CLOSE_TIMEOUT_S) -> None:
        """End it; idempotent."""
        if self._loop.is_closed():
            return
        self._run(self._host.close()).result(timeout_s)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _run(self, coroutine: Coroutine[Any, Any, Any]) -> "Future[Any]":
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop)

    async def _answer(self, method: str, arguments: tuple[Any, ...]) -> Any:
        value, error = await self._host.call(method, arguments)
        if error is not None:
            raise error
        return value


def _failed(error: Exception) -> "Future[Any]":
    future: Future[Any] = Future()
    future.set_exception(error)
    return future
