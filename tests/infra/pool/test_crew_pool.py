"""Machines that are not there: an engine of two lines with a limited number of places."""

import threading
import time

import pyarrow as pa
import pytest

from infra.pool import seat
from infra.pool.crew_pool import CrewPool
from infra.pool.worker_host import WorkerHost
from infra.pool.workers import BatchResult, Placement, WorkerSpec
from sightline.errors import PoolError
from tests.infra.pool.pool_workers import batch, out, spec


class Machines:
    """`places` workers fit; a further one waits until another is killed."""

    def __init__(self, places: int) -> None:
        self.places = threading.Semaphore(places)

    def launch(self, spec: WorkerSpec) -> "PlacedWorker":
        return PlacedWorker(self, spec)


class PlacedWorker:
    def __init__(self, machines: Machines, spec: WorkerSpec) -> None:
        self._machines = machines
        self._host = WorkerHost(spec)
        self.is_placed = False
        self._is_dead = False

    def is_ready(self, timeout_s: float) -> bool:
        self.is_placed = self._machines.places.acquire(timeout=min(timeout_s, 0.05))
        return self.is_placed

    def submit(self, batch: pa.Table) -> pa.Table:
        return batch

    def result(self, ticket: pa.Table, timeout_s: float) -> BatchResult:
        del timeout_s
        return self._host.run(ticket)

    def kill(self) -> None:
        if self.is_placed and not self._is_dead:
            self._machines.places.release()
        self._is_dead = True


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(seat, "MAKE_ROOM_AFTER_S", 0.2)


def test_map_no_place_idle_workers_of_another_spec_make_room():
    with CrewPool(Placement(workers=1), Machines(1).launch) as pool:
        assert out(list(pool.map(spec("Doubler", factor=2), [batch(1)]))) == [2]
        assert out(list(pool.map(spec("Doubler", factor=3), [batch(1)]))) == [3]
        assert not pool.release(spec("Doubler", factor=2))


def test_map_no_place_waits_for_a_busy_spec_and_then_gets_its_place():
    found: list[int] = []
    with CrewPool(Placement(workers=1, start_timeout_s=0.5), Machines(1).launch) as pool:
        busy = pool.map(spec("Sleeper"), [batch(50), batch(60), batch(50)])
        next(busy)
        other = threading.Thread(
            target=lambda: found.extend(out(list(pool.map(spec("Doubler"), [batch(1)]))))
        )
        other.start()
        assert out(list(busy)) == [120, 100]
        other.join(10)
    assert found == [2]


def test_map_fewer_places_than_workers_goes_on_with_those_there_are():
    with CrewPool(Placement(workers=3, start_timeout_s=0.3), Machines(1).launch) as pool:
        results = pool.map(spec("Sleeper"), [batch(5) for _ in range(20)])
        assert out(list(results)) == [10] * 20


def test_map_no_place_at_all_says_what_a_worker_wants():
    pool = CrewPool(Placement(num_gpus=2, start_timeout_s=0.3), Machines(0).launch)
    began = time.monotonic()
    with pool, pytest.raises(PoolError, match=r"one worker wants 1 CPUs and 2 GPUs"):
        pool.map(spec("Doubler"), [batch(1)])
    assert time.monotonic() - began < 5
