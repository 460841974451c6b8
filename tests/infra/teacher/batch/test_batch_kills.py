"""Drivers of batches that are killed at any of their steps: each call is paid once, none is lost.

What was paid is counted in the teacher's own log, what is kept in the ledger.
"""

import multiprocessing
import random
import signal
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from infra.embedded_teacher.server import EmbeddedTeacher
from infra.lake.lake import Lake
from sightline.schemas import BATCHES, LEDGER
from tests.infra.teacher.batch.killed_driver import Drive, drive
from tests.infra.teachers import answered, server_that

KILLS = 6
CHAINS = 3
SEED = 3
OPEN = {"intended", "uploaded", "submitted"}


@dataclass(frozen=True)
class Teacher:
    """A teacher, its log, and a forked-from process that has everything imported."""

    server: EmbeddedTeacher
    log: Path


@pytest.fixture(scope="module")
def teacher(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Teacher]:
    log = tmp_path_factory.mktemp("teacher") / "log.jsonl"
    with server_that(log) as server:
        yield Teacher(server, log)


def run(job: Drive) -> int | None:
    """Return how a driver ended."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([drive.__module__])
    process = context.Process(target=drive, args=(job,))
    process.start()
    process.join(60)
    process.kill()
    process.join()
    return process.exitcode


def test_driver_killed_anywhere_pays_each_call_once(teacher: Teacher, tmp_path: Path):
    whole = job_of(teacher, tmp_path, 0)
    assert run(replace(whole, steps=tmp_path / "steps")) == 0
    steps = (tmp_path / "steps").read_text().split()
    assert {"upload", "create", "retrieve", "download", "publish"} == set(steps)

    jobs = [job_of(teacher, tmp_path, number + 1) for number in range(KILLS)]
    moments = spread_over(2 * len(steps), KILLS)
    killed = [replace(job, dies_at=moment) for job, moment in zip(jobs, moments, strict=True)]
    with ThreadPoolExecutor(KILLS) as threads:
        assert list(threads.map(run, killed)) == [-signal.SIGKILL] * KILLS
        goes_on = [
            replace(job, machine=job.machine if number % 2 else job.machine / "other")
            for number, job in enumerate(jobs)
        ]
        assert list(threads.map(run, goes_on)) == [0] * KILLS

    kept = Counter(key for job in (whole, *jobs) for key in calls_in(job.lake))
    paid = Counter(event.call for event in answered(teacher.log))
    assert set(paid.values()) == {1}
    assert kept == paid
    assert paid.total() == 2 * CHAINS * (KILLS + 1)
    for job in jobs:
        assert not OPEN & set(Lake(job.lake).read(BATCHES)["state"].to_pylist())


def job_of(teacher: Teacher, folder: Path, number: int) -> Drive:
    """Return a job whose calls are those of no other."""
    numbers = range(number * CHAINS, (number + 1) * CHAINS)
    machine = folder / f"machine-{number}"
    return Drive(teacher.server.base_url, folder / f"lake-{number}", machine, numbers)


def spread_over(moments: int, count: int) -> list[int]:
    """Return one seeded moment of each of `count` equal stretches."""
    rng = random.Random(SEED)  # noqa: S311 - places of kills, not secrets
    return [rng.randrange(moments * i // count, moments * (i + 1) // count) for i in range(count)]


def calls_in(lake: Path) -> Iterator[str]:
    """Yield the calls of a ledger by the names they have within a batch."""
    rows = Lake(lake).read(LEDGER, columns=["request_key", "draw"]).to_pylist()
    for row in rows:
        yield f"{row['request_key'][:32]}-{row['draw']}"
