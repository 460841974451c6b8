"""Throttling, outages, failover and caps over real HTTP: nothing fails that could succeed."""

import time
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import ExitStack
from pathlib import Path

import pytest

from infra.embedded_teacher.misbehaviour import Misbehaviour
from infra.embedded_teacher.server import EmbeddedTeacher, ServerConfig
from infra.teacher.client import Endpoint, Response, Teacher, TeacherConfig, open_teacher
from infra.teacher.stats import TeacherState
from sightline.errors import BudgetError, TeacherError
from sightline.outcomes import Outcome
from tests.infra.teachers import (
    MODEL,
    QUICK,
    answered,
    ask_for,
    open_ledger,
    server_that,
    teacher_at,
)


def ask_rows(teacher: Teacher, rows: int) -> "list[Future[Response]]":
    return [teacher.submit(ask_for(number)) for number in range(rows)]


def outcomes(futures: "list[Future[Response]]") -> set[Outcome]:
    return {future.result(60).outcome for future in futures}


def wait_until(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30.0
    while not is_so():
        assert time.monotonic() < deadline, "it never came to pass"
        time.sleep(0.005)


def test_outage_pauses_the_run_and_no_row_fails(tmp_path: Path):
    log = tmp_path / "log"
    first = EmbeddedTeacher(ServerConfig(misbehaviour=Misbehaviour(latency_ms=50), log=log))
    with ExitStack() as stack:
        stack.enter_context(first)
        port = int(first.base_url.rpartition(":")[2].partition("/")[0])
        teacher, ledger = stack.enter_context(teacher_at(first.base_url, tmp_path, max_in_flight=8))
        futures = ask_rows(teacher, 60)
        wait_until(lambda: teacher.stats.calls >= 10)
        first.stop()
        wait_until(lambda: teacher.stats.state is TeacherState.PAUSED)
        assert teacher.stats.reason == f"default: {MODEL}: connect"
        stack.enter_context(EmbeddedTeacher(ServerConfig(port=port, log=log)))
        assert outcomes(futures) == {Outcome.SUCCESS}
        stats = teacher.stats
        assert (stats.calls, stats.errors, stats.state) == (60, 0, TeacherState.RUNNING)
        ledger.flush()
    calls = [event.call for event in answered(log)]
    assert len(calls) - len(set(calls)) <= 8


def test_endpoint_that_is_down_too_long_stops_the_run(tmp_path: Path):
    server = EmbeddedTeacher(ServerConfig())
    with server, teacher_at(server.base_url, tmp_path, patience_s=0.1) as (teacher, _):
        assert outcomes(ask_rows(teacher, 3)) == {Outcome.SUCCESS}
        server.stop()
        with pytest.raises(TeacherError, match=r"cannot connect to|has answered no call"):
            teacher.ask_sync(ask_for(99))


def test_calls_go_to_the_endpoint_that_works(tmp_path: Path):
    with server_that(server_error_share=1.0) as broken, server_that() as sound:
        places = tuple(
            Endpoint(name, server.base_url, models=(MODEL,), timeout_s=20.0)
            for name, server in (("broken", broken), ("sound", sound))
        )
        config = TeacherConfig(places, recipe="test", retry=QUICK, models=(MODEL,))
        with open_ledger(tmp_path) as ledger, open_teacher(config, ledger) as teacher:
            assert outcomes(ask_rows(teacher, 40)) == {Outcome.SUCCESS}
            calls = {lane.endpoint: lane.calls for lane in teacher.stats.lanes}
            assert calls == {"broken": 0, "sound": 40}
            assert teacher.stats.state is TeacherState.RUNNING


def test_several_endpoints_share_the_calls(tmp_path: Path):
    with server_that(latency_ms=20) as one, server_that(latency_ms=20) as two:
        places = tuple(
            Endpoint(name, server.base_url, max_in_flight=4, timeout_s=20.0)
            for name, server in (("one", one), ("two", two))
        )
        config = TeacherConfig(places, recipe="test", retry=QUICK)
        with open_ledger(tmp_path) as ledger, open_teacher(config, ledger) as teacher:
            assert outcomes(ask_rows(teacher, 40)) == {Outcome.SUCCESS}
            assert all(lane.calls >= 10 for lane in teacher.stats.lanes)


def test_bad_minute_is_waited_out_with_few_sends(tmp_path: Path):
    """Nothing but 429 for a second: about one send per pause, not one per refusal."""
    trouble = {"latency_ms": 10, "throttle_window": [0.1, 1.2], "retry_after_s": None}
    with (
        server_that(**trouble) as server,
        teacher_at(server.base_url, tmp_path, max_in_flight=16) as (teacher, _),
    ):
        assert outcomes(ask_rows(teacher, 300)) == {Outcome.SUCCESS}
        assert 0 < teacher.stats.throttled < 60
        assert teacher.stats.errors == 0


def test_stated_rate_is_kept_without_running_into_it(tmp_path: Path):
    """10 requests at once and 10 per second: what the headers say is enough to pace 30."""
    with (
        server_that(requests_per_minute=600, burst_s=1.0, retry_after_s=0.1) as server,
        teacher_at(server.base_url, tmp_path, max_in_flight=4) as (teacher, _),
    ):
        assert outcomes(ask_rows(teacher, 30)) == {Outcome.SUCCESS}
        assert teacher.stats.throttled <= 4


def test_own_rate_keeps_a_run_below_it(tmp_path: Path):
    limits = {"requests_per_minute": 600.0, "max_in_flight": 64}
    with (
        server_that(requests_per_minute=1200, retry_after_s=0.1) as server,
        teacher_at(server.base_url, tmp_path, **limits) as (teacher, _),
    ):
        assert outcomes(ask_rows(teacher, 60)) == {Outcome.SUCCESS}
        assert teacher.stats.throttled == 0


def test_call_cap_holds_with_many_in_flight_and_trouble(tmp_path: Path):
    log = tmp_path / "log"
    with server_that(log, latency_ms=10, server_error_share=0.3) as server:
        with teacher_at(server.base_url, tmp_path, max_calls=50, max_in_flight=64) as (teacher, _):
            errors = [future.exception(60) for future in ask_rows(teacher, 200)]
            assert teacher.stats.calls == 50
        assert sum(isinstance(error, BudgetError) for error in errors) == 150
    assert len(answered(log)) == 50
