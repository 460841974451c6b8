"""Permits: who waits, who goes, and where; on the real event loop, with a clock of the test's."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from infra.teacher.budget import Budget, Caps
from infra.teacher.endpoints import Endpoint
from infra.teacher.pace.breaker import OutagePolicy
from infra.teacher.pace.gatekeeper import Gatekeeper
from infra.teacher.pace.lane import PacePolicy
from infra.teacher.permits import Need, Permit, Use, UseKind
from sightline.errors import BudgetError, TeacherError, UsageError

DONE = Use(UseKind.ANSWERED, cost_usd=0.0)
DEAD = Use(UseKind.UNREACHABLE, detail="connect")
QUICK = PacePolicy(pause_s=0.01, outage=OutagePolicy(3, 0.01, 0.02, 1000.0, 2))


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def keeper(
    *endpoints: Endpoint, caps: Caps | None = None, clock: Clock | None = None
) -> Gatekeeper:
    return Gatekeeper(endpoints, Budget(caps or Caps()), QUICK, clock or Clock())


def place(name: str = "a", **limits: object) -> Endpoint:
    return Endpoint(name, f"http://{name}.example/v1", **limits)  # type: ignore[arg-type]


async def settled(task: "asyncio.Future[Permit]") -> bool:
    """Return whether a task is done once the loop has nothing left to do."""
    for _ in range(5):
        await asyncio.sleep(0)
    return task.done()


def run(body: Callable[[], Awaitable[None]]) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(10):
            await body()

    asyncio.run(bounded())


def test_no_more_permits_are_out_than_the_endpoint_takes():
    async def body() -> None:
        gate = keeper(place(max_in_flight=2))
        first, _ = await gate.acquire(Need("m")), await gate.acquire(Need("other"))
        third = asyncio.ensure_future(gate.acquire(Need("m")))
        assert not await settled(third)
        gate.settle(first, DONE)
        assert await settled(third)

    run(body)


def test_waiters_of_a_model_go_in_their_order_and_one_who_left_blocks_nobody():
    async def body() -> None:
        gate = keeper(place(max_in_flight=1))
        permit = await gate.acquire(Need("m"))
        tasks = [asyncio.ensure_future(gate.acquire(Need("m"))) for _ in range(4)]
        await settled(tasks[0])
        tasks[1].cancel()
        for number in (0, 2, 3):
            gate.settle(permit, DONE)
            assert await settled(tasks[number])
            permit = tasks[number].result()

    run(body)


def test_models_that_share_an_endpoint_take_turns():
    async def body() -> None:
        gate = keeper(place(max_in_flight=1))
        permit, order = await gate.acquire(Need("a")), ["a", "b", "a", "b", "c"]
        tasks = [asyncio.ensure_future(gate.acquire(Need(model))) for model in order]
        await settled(tasks[0])
        for task in tasks:
            gate.settle(permit, DONE)
            assert await settled(task)
            permit = task.result()

    run(body)


def test_permit_that_comes_as_the_waiter_leaves_is_given_back():
    async def body() -> None:
        gate = keeper(place(max_in_flight=1))
        permit = await gate.acquire(Need("m"))
        leaving = asyncio.ensure_future(gate.acquire(Need("m")))
        staying = asyncio.ensure_future(gate.acquire(Need("m")))
        await settled(leaving)
        gate.settle(permit, DONE)
        leaving.cancel()
        assert await settled(staying)
        assert gate.state.calls == 1

    run(body)


def test_request_rate_holds_and_is_given_back_by_what_was_not_sent():
    async def body() -> None:
        clock = Clock()
        gate = keeper(place(requests_per_minute=2), clock=clock)
        first, _ = await gate.acquire(Need("m")), await gate.acquire(Need("m"))
        third = asyncio.ensure_future(gate.acquire(Need("m")))
        assert not await settled(third)
        gate.settle(first, Use(UseKind.UNSENT))
        assert await settled(third)

    run(body)


def test_token_rate_is_corrected_by_what_was_used():
    async def body() -> None:
        gate = keeper(place(tokens_per_minute=1000))
        first = await gate.acquire(Need("m", tokens=900))
        second = asyncio.ensure_future(gate.acquire(Need("m", tokens=900)))
        assert not await settled(second)
        gate.settle(first, Use(UseKind.ANSWERED, tokens=50))
        assert await settled(second)

    run(body)


def test_dead_endpoint_hands_over_to_the_other_and_gets_one_try_at_a_time():
    async def body() -> None:
        clock = Clock()
        gate = keeper(place("a"), place("b"), clock=clock)
        for _ in range(3):
            permit = await gate.acquire(Need("m", avoid="b"))
            assert permit.endpoint == "a"
            gate.settle(permit, DEAD)
        assert {(await gate.acquire(Need("m"))).endpoint for _ in range(4)} == {"b"}
        clock.now = 1.0
        tries = [await gate.acquire(Need("m")) for _ in range(6)]
        assert [p.is_probe for p in tries if p.endpoint == "a"] == [True]

    run(body)


def test_while_every_endpoint_is_down_callers_wait_and_one_finds_out():
    async def body() -> None:
        clock = Clock()
        gate = keeper(place(), clock=clock)
        gate.settle(await gate.acquire(Need("m")), DONE)
        for _ in range(3):
            gate.settle(await gate.acquire(Need("m")), DEAD)
        waiting = [asyncio.ensure_future(gate.acquire(Need("m"))) for _ in range(5)]
        assert not await settled(waiting[0])
        assert gate.state.lanes[0].breaker == "open"
        clock.now = 1.0
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        assert [task.done() for task in waiting] == [True, False, False, False, False]
        gate.settle(waiting[0].result(), DONE)
        assert await settled(waiting[4])
        assert gate.state.lanes[0].breaker == "closed"

    run(body)


def test_endpoint_that_never_answers_ends_those_who_wait():
    async def body() -> None:
        gate = Gatekeeper([place()], Budget(Caps()), QUICK)
        for _ in range(QUICK.outage.threshold + QUICK.outage.cold_tries):
            gate.settle(await gate.acquire(Need("m")), DEAD)
        with pytest.raises(TeacherError, match=r"cannot connect to http://a\.example/v1"):
            await gate.acquire(Need("m"))

    run(body)


def test_abandoned_calls_keep_their_worst_case_and_say_nothing_of_the_endpoint():
    async def body() -> None:
        gate = keeper(place(), caps=Caps(usd=10.0))
        permits = [await gate.acquire(Need("m", worst_case_usd=1.0)) for _ in range(9)]
        for permit in permits:
            gate.settle(permit, Use(UseKind.ABANDONED))
        assert gate.state.at_risk_usd == 9.0
        assert gate.state.lanes[0].breaker == "closed"

    run(body)


def test_cap_waits_for_calls_in_flight_and_then_refuses_all():
    async def body() -> None:
        gate = keeper(place(), caps=Caps(calls=2))
        first, second = await gate.acquire(Need("m")), await gate.acquire(Need("m"))
        waiting = [asyncio.ensure_future(gate.acquire(Need("m"))) for _ in range(3)]
        assert not await settled(waiting[0])
        gate.settle(first, Use(UseKind.FAILED))
        assert await settled(waiting[0])
        gate.settle(second, DONE)
        gate.settle(waiting[0].result(), DONE)
        ended = await asyncio.gather(*waiting[1:], return_exceptions=True)
        assert [type(error) for error in ended] == [BudgetError, BudgetError]

    run(body)


def test_stop_ends_waiters_and_leaves_permits_valid():
    async def body() -> None:
        gate = keeper(place(max_in_flight=1))
        permit = await gate.acquire(Need("m"))
        waiting = asyncio.ensure_future(gate.acquire(Need("m")))
        await settled(waiting)
        gate.stop(TeacherError("closed"))
        with pytest.raises(TeacherError, match="closed"):
            await waiting
        with pytest.raises(TeacherError, match="closed"):
            await gate.acquire(Need("m"))
        gate.settle(permit, DONE)

    run(body)


def test_model_that_nobody_serves_is_refused():
    async def body() -> None:
        with pytest.raises(UsageError, match="no endpoint serves 'x'"):
            await keeper(place(models=("m",))).acquire(Need("x"))

    run(body)
