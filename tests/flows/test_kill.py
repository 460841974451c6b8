"""SIGKILL of a build while it asks: nothing is lost, nothing doubled, nothing bought twice.

The teacher runs apart and keeps its own log, so what was answered is known from the other side.
Only calls that were on the wire at the kill may be asked again: nobody received their answers.
"""

import random
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

import pytest

from flows.recipe import load_recipe
from infra.embedded_teacher.request_log import LoggedEvent, read_log
from tests.flows.processes import ledger_calls, processes_of, spooled_calls, wait_until
from tests.flows.site import Site
from tests.flows.tables import broken_checks, content

RECIPE = ("source.n=8", "part_rows=4", "embedded_teacher.latency_ms=60")
IN_FLIGHT = 4
ONE_KEY_MANY_RUNS = frozenset({"calls_made", "calls_reused"})
"""Which run paid depends on when the kill came; what was paid does not."""

POINTS = random.Random(2511).sample(range(3, 50), 3)  # noqa: S311 - no secrets
"""Answers after which the build is killed."""

pytestmark = [pytest.mark.server, pytest.mark.slow]


@pytest.fixture(scope="module")
def undisturbed(shared_site: Site) -> Site:
    shared_site.build(*RECIPE)
    return shared_site


@contextmanager
def teacher_apart(site: Site, log: Path) -> Iterator[str]:
    """Serve the recipe's teacher in a process of its own; give its address."""
    errors = asdict(load_recipe("demo", RECIPE).embedded_teacher)
    wanted = [f"--set={name}={value}" for name, value in errors.items() if value is not None]
    server = site.start("teacher", "serve", "--port", "0", "--log", str(log), *wanted)
    assert server.stdout is not None
    try:
        yield next(w for w in server.stdout.readline().split() if w.startswith("http")).strip(";")
    finally:
        server.terminate()
        server.communicate(timeout=20)


def answered(log: Path) -> list[LoggedEvent]:
    return [event for event in read_log(log) if event.event == "answered" and event.status == 200]


def all_settled(log: Path) -> bool:
    events = [event.event for event in read_log(log)]
    return events.count("received") == len(events) - events.count("received")


def kill(build: "subprocess.Popen[str]") -> None:
    assert build.poll() is None, build.communicate()
    build.send_signal(signal.SIGKILL)
    build.communicate(timeout=20)


def overrides() -> list[str]:
    return [f"--set={change}" for change in RECIPE]


def assert_same_dataset(site: Site, undisturbed: Site) -> None:
    lake = site.lake()
    assert broken_checks(lake) == {}
    without = ONE_KEY_MANY_RUNS
    assert content(lake, without) == content(undisturbed.lake(), without)


@pytest.mark.parametrize(
    ("answers", "pool"),
    [
        (POINTS[0], "local"),
        (POINTS[1], "local"),
        pytest.param(POINTS[2], "ray", marks=pytest.mark.ray),
    ],
)
def test_build_killed_while_asking_buys_only_what_was_on_the_wire_again(
    site: Site, undisturbed: Site, answers: int, pool: str
):
    log, lake = site.folder / "teacher.jsonl", site.lake()
    with teacher_apart(site, log) as url:
        settings = {"teacher_base_url": url, "teacher_concurrency": IN_FLIGHT, "pool": pool}
        build = site.start("build", "demo", *overrides(), **settings)
        assert wait_until(lambda: len(answered(log)) >= answers, 90)
        kill(build)
        assert wait_until(lambda: all_settled(log), 10)
        before = [event.call for event in answered(log)]
        kept = set(spooled_calls(site.folder, lake)) | set(ledger_calls(lake))
        again = site.command("build", "demo", *overrides(), **settings)
        assert again.returncode == 0, again.stderr[-3000:]
        after = [event.call for event in answered(log)[len(before) :]]
    on_the_wire = set(before) - kept
    final = ledger_calls(lake)
    assert kept <= set(before)
    assert len(on_the_wire) <= IN_FLIGHT
    assert not kept & set(after)
    assert set(before) & set(after) <= on_the_wire
    assert set(final.values()) == {1}
    assert set(final) == kept | set(after)
    assert len(before) + len(after) - len(final) == len(on_the_wire & set(after))
    assert_same_dataset(site, undisturbed)
    assert wait_until(lambda: not processes_of(site.folder), 60), processes_of(site.folder)


def test_killed_build_takes_its_own_server_and_teacher_along(site: Site, undisturbed: Site):
    own = Site(site.folder, prefect_url="")
    build = own.start("build", "demo", *overrides(), pool="local", teacher_concurrency=IN_FLIGHT)
    assert wait_until(lambda: len(spooled_calls(own.folder, own.lake())) >= 5, 150)
    started = " ".join(processes_of(own.folder))
    kill(build)
    assert "prefect server start" in started
    assert "infra.embedded_teacher.server" in started
    assert wait_until(lambda: not processes_of(own.folder), 60), processes_of(own.folder)
    site.build(*RECIPE)
    assert_same_dataset(site, undisturbed)
