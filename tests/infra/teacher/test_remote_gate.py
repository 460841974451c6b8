"""Limits that several workers share: one service, several far ends."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest

from infra.pool.local_pool import LocalPool
from infra.pool.services import Service, ServiceSpec
from infra.teacher.client import TeacherConfig
from infra.teacher.crew_seat import CrewPlan
from infra.teacher.endpoints import Endpoint
from infra.teacher.permits import Need, Permit, PermitsState, Use, UseKind
from infra.teacher.remote_permits import RemotePermits
from infra.teacher.remote_worker import LedgerHome
from sightline.errors import BudgetError, TeacherError, UsageError

NEED = Need("m", worst_case_usd=0.25)
ANSWERED = Use(UseKind.ANSWERED, cost_usd=0.125)
ENDPOINT = Endpoint("here", "http://127.0.0.1:9/v1", models=("m",), max_in_flight=2)
CONFIG = TeacherConfig((ENDPOINT,), recipe="test")


@contextmanager
def gatekeeper(**changes: object) -> Iterator[Service]:
    config = replace(CONFIG, **changes)  # type: ignore[arg-type]
    with LocalPool() as pool:
        factory = "infra.teacher.remote_gate:GatekeeperService"
        limits = CrewPlan(1, config, LedgerHome("lake")).limits
        yield pool.services.start(ServiceSpec(factory, limits))


def state_of(service: Service) -> PermitsState:
    return service.submit("state").result(5)


def drive(
    service: Service, play: Callable[[RemotePermits, RemotePermits], Awaitable[None]]
) -> None:
    async def both() -> None:
        async with asyncio.timeout(10):
            await play(RemotePermits(service, "0.1"), RemotePermits(service, "1.1"))

    asyncio.run(both())


async def told(permits: RemotePermits) -> None:
    await permits._told()


async def queued(permits: RemotePermits) -> "asyncio.Task[Permit]":
    """Return a waiter that the gatekeeper knows of."""
    waiter = asyncio.create_task(permits.acquire(NEED))
    await asyncio.sleep(0)
    await told(permits)
    return waiter


def test_workers_share_slots_and_settled_ones_go_to_who_waits_longest():
    async def play(one: RemotePermits, two: RemotePermits) -> None:
        held = [await one.acquire(NEED), await one.acquire(NEED)]
        first = await queued(two)
        second = await queued(one)
        assert not first.done()
        one.settle(held[0], ANSWERED)
        assert (await first).endpoint == "here"
        assert not second.done()
        two.settle(first.result(), ANSWERED)
        await second
        one.settle(second.result(), ANSWERED)
        one.settle(held[1], ANSWERED)
        await told(one)

    with gatekeeper() as service:
        drive(service, play)
        state = state_of(service)
    assert (state.calls, state.spent_usd) == (4, 0.5)
    assert state.lanes[0].in_flight == 0


def test_cap_of_calls_holds_over_all_workers():
    granted: list[Permit] = []

    async def ask_for_ever(permits: RemotePermits) -> None:
        while True:
            permit = await permits.acquire(NEED)
            granted.append(permit)
            permits.settle(permit, ANSWERED)

    async def play(*both: RemotePermits) -> None:
        ends = await asyncio.gather(*map(ask_for_ever, both), return_exceptions=True)
        assert [type(end) for end in ends] == [BudgetError, BudgetError]

    with gatekeeper(max_calls=7) as service:
        drive(service, play)
        assert state_of(service).calls == 7
    assert len({permit.number for permit in granted}) == 7


def test_dead_worker_frees_its_slots_and_keeps_its_worst_case():
    async def play(one: RemotePermits, two: RemotePermits) -> None:
        await one.acquire(NEED)
        await one.acquire(NEED)
        never = await queued(one)
        waiting = await queued(two)
        assert service.submit("drop", "0.1").result(5) == 2
        two.settle(await waiting, ANSWERED)
        await told(two)
        with pytest.raises(TeacherError, match=r"0\.1 was given up for dead"):
            await never

    with gatekeeper() as service:
        drive(service, play)
        state = state_of(service)
    assert (state.at_risk_usd, state.spent_usd, state.calls) == (0.5, 0.125, 3)
    assert state.lanes[0].in_flight == 0


def test_waiter_that_goes_leaves_no_trace():
    async def play(one: RemotePermits, two: RemotePermits) -> None:
        held = [await one.acquire(NEED), await one.acquire(NEED)]
        gone = await queued(two)
        gone.cancel()
        await asyncio.gather(gone, return_exceptions=True)
        at_once = asyncio.create_task(two.acquire(NEED))
        await asyncio.sleep(0)
        at_once.cancel()
        await asyncio.gather(at_once, return_exceptions=True)
        await told(two)
        for permit in held:
            one.settle(permit, Use(UseKind.UNSENT))
        await told(one)
        for _ in range(2):
            two.settle(await two.acquire(NEED), ANSWERED)
        await told(two)

    with gatekeeper() as service:
        drive(service, play)
        state = state_of(service)
    assert (state.calls, state.lanes[0].in_flight) == (2, 0)


def test_worker_that_stops_ends_its_own_waiters_only():
    async def play(one: RemotePermits, two: RemotePermits) -> None:
        held = [await one.acquire(NEED), await one.acquire(NEED)]
        waiting, others = await queued(one), await queued(two)
        one.stop(TeacherError("the teacher is closed"))
        with pytest.raises(TeacherError, match="closed"):
            await waiting
        one.settle(held[0], ANSWERED)
        two.settle(await others, ANSWERED)
        one.settle(held[1], ANSWERED)
        await asyncio.gather(told(one), told(two))

    with gatekeeper() as service:
        drive(service, play)
        assert (state_of(service).calls, state_of(service).lanes[0].in_flight) == (3, 0)


def test_stop_at_the_gatekeeper_ends_all():
    async def play(one: RemotePermits, two: RemotePermits) -> None:
        await one.acquire(NEED)
        service.submit("stop", TeacherError("wrong key")).result(5)
        for permits in (one, two):
            with pytest.raises(TeacherError, match="wrong key"):
                await permits.acquire(NEED)

    with gatekeeper() as service:
        drive(service, play)


def test_unknown_model_is_an_error_of_its_asker():
    async def play(one: RemotePermits, two: RemotePermits) -> None:
        with pytest.raises(UsageError, match="no endpoint serves 'other'"):
            await one.acquire(Need("other"))
        await two.acquire(NEED)

    with gatekeeper() as service:
        drive(service, play)


def test_gatekeeper_that_is_gone_stops_the_workers():
    async def play(one: RemotePermits, two: RemotePermits) -> None:
        permit = await one.acquire(NEED)
        service.stop()
        one.settle(permit, ANSWERED)
        for permits in (one, two):
            with pytest.raises(TeacherError, match="limits of this run cannot be asked"):
                await permits.acquire(NEED)

    with gatekeeper() as service:
        drive(service, play)
