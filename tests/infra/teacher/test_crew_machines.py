"""What a crew does when a worker's machine is gone, shown with machines that are names."""

import asyncio
from pathlib import Path

import pytest

from infra.ledger.ledger import Sharing
from infra.pool.local_services import LocalService, LocalServices
from infra.pool.services import START_TIMEOUT_S, BuildDiedError, Place, ServiceSpec
from infra.teacher.client import TeacherConfig
from infra.teacher.crew import TeacherCrew
from infra.teacher.crew_seat import WORKER, CrewPlan
from infra.teacher.endpoints import Endpoint
from infra.teacher.remote_worker import LedgerHome
from sightline.errors import PoolError, TeacherError
from tests.infra.teachers import MODEL, QUICK, ask_for, server_that


class Machines(LocalServices):
    """Starts every worker on the next of `names`, or lets it die; `workers` are those started."""

    def __init__(self, *names: str) -> None:
        super().__init__()
        self._names = list(names)
        self.workers: list[LocalService] = []

    def start(self, spec: ServiceSpec, timeout_s: float = START_TIMEOUT_S) -> LocalService:
        if spec.factory != WORKER:
            return super().start(spec, timeout_s)
        name = self._names.pop(0)
        if name == "dies":
            msg = "the process ended"
            raise BuildDiedError(msg)
        service = super().start(spec, timeout_s)
        service.place = Place(name)
        self.workers.append(service)
        return service


def plan(base_url: str, folder: Path, max_restarts: int = 6, **sharing: bool) -> CrewPlan:
    endpoint = Endpoint("default", base_url, timeout_s=20.0)
    config = TeacherConfig((endpoint,), recipe="test", retry=QUICK, models=(MODEL,))
    home = LedgerHome(str(folder / "lake"), spool_dir=folder / "spool", sharing=Sharing(**sharing))
    return CrewPlan(1, config, home, max_restarts=max_restarts)


def ask(crew: TeacherCrew, number: int) -> bool:
    return asyncio.run(crew.ask(ask_for(number))).reused


def test_successor_on_the_same_machine_goes_on_even_if_it_dies_at_first(tmp_path: Path):
    machines = Machines("dies", "a", "dies", "dies", "a")
    with server_that() as server, TeacherCrew(machines, plan(server.base_url, tmp_path)) as crew:
        assert not ask(crew, 1)
        machines.workers[0].stop()
        assert ask(crew, 1)
        crew.flush()
        assert not ask(crew, 2)
    assert crew.stats.calls == 1  # a dead worker's counts are those it last told


def test_successor_elsewhere_stops_the_run_and_no_part_is_flushed(tmp_path: Path):
    machines = Machines("a", "b")
    with server_that() as server, TeacherCrew(machines, plan(server.base_url, tmp_path)) as crew:
        ask(crew, 1)
        machines.workers[0].stop()
        for again in (lambda: ask(crew, 2), lambda: ask(crew, 3), crew.flush):
            with pytest.raises(TeacherError, match=r"machine of asking worker 0 .* is gone"):
                again()


def test_successor_elsewhere_goes_on_if_the_spool_is_in_the_lake(tmp_path: Path):
    machines = Machines("a", "b")
    there = {"claims_in_lake": True, "spool_in_lake": True}
    with (
        server_that() as server,
        TeacherCrew(machines, plan(server.base_url, tmp_path, **there)) as crew,
    ):
        ask(crew, 1)
        machines.workers[0].stop()
        assert ask(crew, 1)


def test_worker_that_dies_again_and_again_stops_the_run(tmp_path: Path):
    machines = Machines("a", "a")
    with (
        server_that() as server,
        TeacherCrew(machines, plan(server.base_url, tmp_path, max_restarts=0)) as crew,
    ):
        machines.workers[0].stop()
        with pytest.raises(PoolError, match="worker 0 died 1 times in a row"):
            ask(crew, 1)
