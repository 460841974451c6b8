"""Places for what is asking at once, shared by all parts of a build.

Every part runs in a thread and an event loop of its own, which `asyncio.Semaphore` does not span.
One bound for all parts has two effects: memory does not grow with the parts in flight, and while
the last chains of one part finish, chains of the next take the places that come free.
"""

import asyncio
import threading
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, eq=False)
class _Waiter:
    loop: asyncio.AbstractEventLoop
    given: "asyncio.Future[None]"


class Places:
    """A number of places, given first come, first served; safe to use from several event loops."""

    def __init__(self, most: int) -> None:
        self.most = most
        self._free = most
        self._waiting: deque[_Waiter] = deque()
        self._lock = threading.Lock()

    @asynccontextmanager
    async def one(self) -> AsyncIterator[None]:
        """Hold a place within the block."""
        await self.take()
        try:
            yield
        finally:
            self.give_back()

    async def take(self) -> None:
        """Wait for a place."""
        loop = asyncio.get_running_loop()
        with self._lock:
            if self._free and not self._waiting:
                self._free -= 1
                return
            waiter = _Waiter(loop, loop.create_future())
            self._waiting.append(waiter)
        try:
            await waiter.given
        except asyncio.CancelledError:
            self._forget(waiter)
            raise

    def give_back(self) -> None:
        """Give a place back: to who has waited longest, if anybody waits."""
        with self._lock:
            while self._waiting:
                waiter = self._waiting.popleft()
                with suppress(RuntimeError):  # its loop has ended, and with it whoever waited
                    waiter.loop.call_soon_threadsafe(self._hand_over, waiter)
                    return
            self._free += 1

    def _hand_over(self, waiter: _Waiter) -> None:
        """Give the place to `waiter`, in its own loop; to the next one if it has gone."""
        if waiter.given.done():
            self.give_back()
        else:
            waiter.given.set_result(None)

    def _forget(self, waiter: _Waiter) -> None:
        """Leave the queue; a place that was handed over meanwhile goes to the next one."""
        with self._lock, suppress(ValueError):
            self._waiting.remove(waiter)
            return
        if waiter.given.done() and not waiter.given.cancelled():
            self.give_back()
