"""Services for the tests, named by dotted path as real ones are."""

import asyncio
import os
import signal
from typing import Any

from infra.pool.services import Place, Service, ServiceSpec, call
from sightline.errors import BudgetError


def service(name: str, **options: Any) -> ServiceSpec:
    return ServiceSpec(f"tests.infra.pool.pool_services:{name}", options)


class Counter:
    """Adds up, for whoever calls."""

    def __init__(self, place: Place, start: int = 0) -> None:
        self.place, self._sum, self._reached = place, start, asyncio.Event()

    async def add(self, number: int) -> int:
        self._sum += number
        if self._sum >= 10:
            self._reached.set()
        return self._sum

    async def wait_for_ten(self) -> int:
        await self._reached.wait()
        return self._sum

    def sync_sum(self) -> int:
        return self._sum

    def spend(self) -> None:
        msg = "the cap is reached"
        raise BudgetError(msg)

    def stumble(self) -> None:
        msg = "a plain bug"
        raise KeyError(msg)

    def die(self) -> None:
        os.kill(os.getpid(), signal.SIGKILL)


class Unbuildable:
    def __init__(self, place: Place) -> None:
        msg = f"nothing at {bool(place.node)}"
        raise RuntimeError(msg)


class DiesWhenBuilt:
    def __init__(self, place: Place) -> None:
        del place
        os.kill(os.getpid(), signal.SIGKILL)


class Doorman:
    """Passes calls on to another service."""

    def __init__(self, place: Place, counter: Service) -> None:
        del place
        self._counter = counter

    async def add(self, number: int) -> Any:
        return await call(self._counter, "add", number)
