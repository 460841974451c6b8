"""Many chains of asks at once, their results in the order of what was asked about.

A chain is sequential, so chains in flight are calls in flight.  Rows must not depend on which reply
came first, so results wait for those before them; to keep the endpoint busy meanwhile, more chains
may have begun than ask (`tasks.asking.places`).  If one raises (budget, wrong key), the others
finish the call they are in, so that what is being bought is received, and ask nothing more.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterable
from contextlib import suppress
from typing import Any, Generic, TypeVar

from tasks.asking.places import Places

T = TypeVar("T")
R = TypeVar("R")

GoOn = Callable[[], None]
"""Asked before every call; raises `StoppedError` once the part cannot be finished."""

Run = Callable[[T, GoOn], Coroutine[Any, Any, R]]
"""Asks all there is to ask about one thing."""


class StoppedError(Exception):
    """Another chain failed for all; this one asks no more."""


async def in_order(items: Iterable[T], run: Run[T, R], places: Places) -> AsyncGenerator[R, None]:
    """Yield what `run` makes of each of `items`, in their order.

    Args:
        items: read only as far ahead as `places` allow.
        run: asks about one of them.
        places: bound how many ask at once and how many have begun.

    Raises:
        TeacherError: the endpoint as a whole is unusable, or the budget is spent.
    """
    crowd = _Crowd(run, places)
    feeder = asyncio.create_task(crowd.feed(items))
    try:
        while (task := await crowd.begun.get()) is not None:
            yield await task
            crowd.handed_out()
        await feeder
    except Exception:
        crowd.stopped = True
        await crowd.end(feeder, cancel=False)
        raise
    except BaseException:
        await crowd.end(feeder, cancel=True)
        raise
    finally:
        crowd.leave()


class _Crowd(Generic[T, R]):
    """Everything that has begun and was not handed out yet."""

    def __init__(self, run: Run[T, R], places: Places) -> None:
        self._run, self._places = run, places
        self.begun: asyncio.Queue[asyncio.Task[R] | None] = asyncio.Queue()
        self.stopped = False
        self._held = 0

    async def feed(self, items: Iterable[T]) -> None:
        """Begin as places come free; `None` in the queue says that there are no more."""
        try:
            for item in items:
                await self._places.begun.take()
                self._held += 1
                await self._places.asking.take()
                self.begun.put_nowait(self._begin(item))
        finally:
            self.begun.put_nowait(None)

    def _begin(self, item: T) -> "asyncio.Task[R]":
        task = asyncio.create_task(self._run(item, self._go_on))
        # Not within the task: one that is cancelled before its first step never runs at all.
        task.add_done_callback(lambda _done: self._places.asking.give_back())
        return task

    def handed_out(self) -> None:
        """Make room for another one."""
        self._held -= 1
        self._places.begun.give_back()

    def leave(self) -> None:
        """Give back the room of all that was not handed out."""
        while self._held:
            self.handed_out()

    def _go_on(self) -> None:
        if self.stopped:
            raise StoppedError

    async def end(self, feeder: "asyncio.Task[None]", *, cancel: bool) -> None:
        """Begin nothing more and wait for what has begun; its replies are in the ledger."""
        feeder.cancel()
        with suppress(asyncio.CancelledError):
            await feeder
        while not self.begun.empty():
            task = self.begun.get_nowait()
            if task is None:
                continue
            if cancel:
                task.cancel()
            await asyncio.gather(task, return_exceptions=True)
