"""Places for what is asking at once, shared by all parts of a build.

Every part runs in a thread and an event loop of its own, which `asyncio.Semaphore` does not span.
One bound for all parts has two effects: memory does not grow with the parts in flight, and while
the last chains of one part finish, chains of the next take the places that come free.

Results are handed out in order, so they may wait for a slow one.  What has begun and was not handed
out yet is bounded too, over all parts: the first of every part is always among those that ask, so a
part that holds much of that room gives it back, and no part can wait for another for ever.
"""

import asyncio
import threading
from collections import deque
from contextlib import suppress
from dataclasses import dataclass

AHEAD = 8
"""What may have begun, as a multiple of what asks at once; bounds what waits in memory."""


class Places:
    """What may ask at once, and what may have begun and not been handed out."""

    def __init__(self, most: int) -> None:
        self.asking = Bound(most)
        self.begun = Bound(most * AHEAD)


@dataclass(frozen=True, slots=True, eq=False)
class _Waiter:
    loop: asyncio.AbstractEventLoop
    given: "asyncio.Future[None]"


class Bound:
    """A number of places, given first come, first served; safe to use from several event loops."""

    def __init__(self, most: int) -> None:
        self._free = most
        self._waiting: deque[_Waiter] = deque()
        self._lock = threading.Lock()

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
