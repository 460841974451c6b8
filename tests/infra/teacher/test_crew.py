"""A teacher made of workers on Ray, against a real server: one set of limits, no call twice."""

import asyncio
import os
import signal
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from infra.embedded_teacher.request_log import read_log
from infra.pool.ray_pool import RayPool
from infra.teacher.client import TeacherConfig
from infra.teacher.crew import TeacherCrew
from infra.teacher.crew_seat import CrewPlan
from infra.teacher.endpoints import Endpoint
from infra.teacher.remote_worker import LedgerHome
from infra.teacher.types import Response
from sightline.errors import BudgetError
from sightline.schemas import LEDGER
from tests.infra.teacher.crew_jobs import AskAll, Whereabouts
from tests.infra.teachers import MODEL, QUICK, answered, ask_for, open_ledger, server_that

pytestmark = pytest.mark.ray

IN_FLIGHT = 6
ASKS = 3


@contextmanager
def crew(
    pool: RayPool, base_url: str, folder: Path, max_calls: int | None = None
) -> Iterator[TeacherCrew]:
    endpoint = Endpoint("default", base_url, max_in_flight=IN_FLIGHT, timeout_s=20.0)
    config = TeacherConfig(
        (endpoint,), recipe="test", retry=QUICK, models=(MODEL,), max_calls=max_calls
    )
    home = LedgerHome(str(folder / "lake"), spool_dir=folder / "spool")
    with TeacherCrew(pool.services, CrewPlan(2, config, home)) as opened:
        yield opened


async def ask_chains(teacher: TeacherCrew, numbers: Iterable[int]) -> list[list[Response]]:
    async def chain(number: int) -> list[Response]:
        requests = tuple(ask_for(number * ASKS + n) for n in range(ASKS))
        return await teacher.run(lambda: AskAll(requests))

    return list(await asyncio.gather(*map(chain, numbers)))


def most_at_once(log: Path) -> int:
    busy = most = 0
    for event in sorted(read_log(log), key=lambda event: event.at):
        busy += 1 if event.event == "received" else -1
        most = max(most, busy)
    return most


def ledger_calls(folder: Path) -> Counter[str]:
    with open_ledger(folder) as ledger:
        table = ledger._lake.read(LEDGER, columns=["request_key", "draw"])
    return Counter(f"{row['request_key']}/{row['draw']}" for row in table.to_pylist())


def test_crew_answers_as_one_teacher_within_one_set_of_limits(ray_pool: RayPool, tmp_path: Path):
    log = tmp_path / "log"
    with server_that(log, latency_ms=20) as server:
        with crew(ray_pool, server.base_url, tmp_path) as teacher:
            chains = asyncio.run(ask_chains(teacher, range(20)))
            one = asyncio.run(teacher.ask(ask_for(0)))
            teacher.flush()
            assert sum(ledger_calls(tmp_path).values()) == 60
            teacher.stats  # noqa: B018 - asks for newer counts
        assert [len({r.request_key for r in chain}) for chain in chains] == [3] * 20
        assert one.reused
        assert one.raw_text == chains[0][0].raw_text
        assert most_at_once(log) <= IN_FLIGHT
        stats = teacher.stats
    assert (stats.calls, stats.reused, stats.in_flight, stats.errors) == (60, 1, 0, 0)
    (lane,) = stats.lanes
    assert (lane.endpoint, lane.model, lane.calls, lane.in_flight) == ("default", MODEL, 60, 0)
    assert Counter(ledger_calls(tmp_path).values()) == {1: 60}


def test_crew_cap_of_calls_is_exact(ray_pool: RayPool, tmp_path: Path):
    log = tmp_path / "log"
    with (
        server_that(log, latency_ms=5) as server,
        crew(ray_pool, server.base_url, tmp_path, max_calls=25) as teacher,
        pytest.raises(BudgetError, match="cap of 25 calls is reached"),
    ):
        asyncio.run(ask_chains(teacher, range(20)))
    assert len(answered(log)) == 25
    assert len(ledger_calls(tmp_path)) == 25


def test_crew_worker_killed_loses_nothing_and_buys_nothing_twice(ray_pool: RayPool, tmp_path: Path):
    log = tmp_path / "log"

    async def ask_and_kill(teacher: TeacherCrew) -> list[list[Response]]:
        early, late = ask_chains(teacher, range(12)), ask_chains(teacher, range(12, 60))
        late_ones = asyncio.create_task(late)
        found = await early
        os.kill(await teacher.run(Whereabouts), signal.SIGKILL)
        return found + await late_ones

    with server_that(log, latency_ms=30, latency_sigma=0.5) as server:
        with crew(ray_pool, server.base_url, tmp_path) as teacher:
            chains = asyncio.run(ask_and_kill(teacher))
        assert sum(map(len, chains)) == 180
        sent = Counter(event.call for event in answered(log))
    kept = ledger_calls(tmp_path)
    assert set(kept) == set(sent)
    assert Counter(kept.values()) == {1: 180}
    assert sent.total() - 180 <= IN_FLIGHT  # on the wire at the kill, so nobody could keep them
    assert all(lane.in_flight == 0 for lane in teacher.stats.lanes)
