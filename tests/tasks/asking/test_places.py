"""One bound for what asks at once in several event loops: fair, and never lost."""

import asyncio
import threading

import pytest

from tasks.asking.in_order import GoOn, in_order
from tasks.asking.places import AHEAD, Bound, Places

TIMEOUT_S = 20


class Busy:
    """Counts how many run at once, over all threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.now = self.most = self.total = 0

    def enter(self) -> None:
        with self._lock:
            self.now += 1
            self.total += 1
            self.most = max(self.most, self.now)

    def leave(self) -> None:
        with self._lock:
            self.now -= 1


def ask_in_threads(places: Places, busy: Busy, n_threads: int, n_items: int) -> list[list[int]]:
    """Return what each of several parts, in threads and loops of their own, got in which order."""

    async def run(item: int, _go_on: GoOn) -> int:
        busy.enter()
        await asyncio.sleep(0.001)
        busy.leave()
        return item

    async def part() -> list[int]:
        return [item async for item in in_order(range(n_items), run, places)]

    found: list[list[int]] = [[] for _ in range(n_threads)]

    def thread(number: int) -> None:
        found[number] = asyncio.run(part())

    threads = [threading.Thread(target=thread, args=(n,), daemon=True) for n in range(n_threads)]
    for one in threads:
        one.start()
    for one in threads:
        one.join(TIMEOUT_S)
    assert not any(one.is_alive() for one in threads), "a place was lost"
    return found


def test_places_bound_all_loops_together_and_keep_each_in_order():
    places, busy = Places(3), Busy()
    found = ask_in_threads(places, busy, n_threads=4, n_items=40)
    assert found == [list(range(40))] * 4
    assert (busy.most, busy.total) == (3, 160)


def test_places_of_parts_that_failed_or_were_left_go_to_the_others():
    places, busy = Places(2), Busy()

    async def breaks(item: int, _go_on: GoOn) -> int:
        if item == 3:
            msg = "broken"
            raise ValueError(msg)
        await asyncio.sleep(0)
        return item

    async def failing() -> None:
        async for _ in in_order(range(50), breaks, places):
            pass

    async def left() -> None:
        results = in_order(range(50), forever, places)
        waiting = asyncio.create_task(anext(results))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        await results.aclose()

    async def forever(_item: int, _go_on: GoOn) -> int:
        await asyncio.Event().wait()
        return 0

    with pytest.raises(ValueError, match="broken"):
        asyncio.run(failing())
    asyncio.run(left())
    assert ask_in_threads(places, busy, n_threads=2, n_items=10) == [list(range(10))] * 2
    assert busy.most == 2


def test_place_whose_waiter_was_cancelled_goes_to_the_next():
    bound = Bound(1)

    async def scenario() -> bool:
        await bound.take()
        gone, next_one = (asyncio.create_task(bound.take()) for _ in range(2))
        await asyncio.sleep(0)
        bound.give_back()
        gone.cancel()
        await asyncio.wait_for(next_one, TIMEOUT_S)
        return gone.cancelled()

    assert asyncio.run(scenario())


def test_part_whose_first_is_slow_begins_no_more_than_there_is_room_and_others_go_on():
    places, slow_may_end = Places(2), threading.Event()
    begun: list[int] = []

    async def slow_first(item: int, _go_on: GoOn) -> int:
        begun.append(item)
        if item == 0:
            await asyncio.to_thread(slow_may_end.wait)
        return item

    async def part() -> list[int]:
        return [item async for item in in_order(range(100), slow_first, places)]

    found: list[list[int]] = []
    slow = threading.Thread(target=lambda: found.append(asyncio.run(part())), daemon=True)
    slow.start()
    while len(begun) < 2 * AHEAD:
        slow.join(0.001)
    ahead = len(begun)
    slow_may_end.set()
    slow.join(TIMEOUT_S)
    assert found == [list(range(100))]
    assert ahead == 2 * AHEAD
    assert ask_in_threads(places, Busy(), n_threads=2, n_items=50) == [list(range(50))] * 2
