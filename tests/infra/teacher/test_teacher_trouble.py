"""The teacher when the wire fails: retries, Retry-After, and slots while waiting."""

import json
import time
from collections import Counter
from hashlib import sha256
from http.client import HTTPConnection
from itertools import pairwise
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from infra.embedded_teacher.misbehaviour import chance
from infra.embedded_teacher.request_log import read_log
from infra.teacher.retry import RetryPolicy
from sightline.outcomes import Outcome
from sightline.schemas import LEDGER
from tests.infra.teachers import answered, ask_for, server_that, teacher_at


@pytest.mark.parametrize(
    "trouble",
    [
        {"server_error_share": 0.3},
        {"disconnect_before_share": 0.3},
        {"disconnect_within_share": 0.3},
        {"throttle_share": 0.3, "retry_after_s": 0.05},
        {"throttle_share": 0.3, "retry_after_s": None},
    ],
    ids=lambda trouble: next(iter(trouble)),
)
def test_trouble_on_the_wire_is_retried_until_every_row_is_bought_once(
    tmp_path: Path, trouble: dict[str, float | None]
):
    log = tmp_path / "log"
    with (
        server_that(log, **trouble) as server,
        teacher_at(server.base_url, tmp_path) as (teacher, ledger),
    ):
        futures = [teacher.submit(ask_for(number)) for number in range(40)]
        outcomes = Counter(future.result(60).outcome for future in futures)
        assert outcomes == {Outcome.SUCCESS: 40}
        assert teacher.stats.retries > 3
        ledger.flush()
        assert ledger._lake.read(LEDGER).num_rows == 40
    assert Counter(event.call for event in answered(log)).most_common(1)[0][1] == 1


def test_trouble_without_end_is_an_error_of_the_row(tmp_path: Path):
    quick = RetryPolicy(attempts=3, base_s=0.01)
    with (
        server_that(server_error_share=1.0) as server,
        teacher_at(server.base_url, tmp_path, retry=quick) as (teacher, ledger),
    ):
        response = teacher.ask_sync(ask_for(1))
        assert response.outcome is Outcome.ERROR
        assert response.detail == "gave up after 3 tries: HTTP 500: The server had an error"
        assert teacher.stats.errors == 1
        assert ledger.flush() == []


def test_timeout_is_retried_and_counted_as_at_risk(tmp_path: Path):
    quick = RetryPolicy(attempts=2, base_s=0.01)
    prices = tmp_path / "prices.yaml"
    prices.write_text("models: {sightline-embedded: {input: 1, output: 1}}")
    changes = {"retry": quick, "timeout_s": 0.2, "max_usd": 9.0, "prices_file": prices}
    with (
        server_that(latency_ms=2000) as server,
        teacher_at(server.base_url, tmp_path, **changes) as (teacher, _),
    ):
        response = teacher.ask_sync(ask_for(1, max_tokens=100))
        assert response.detail == "gave up after 2 tries: timeout"
        assert teacher.stats.at_risk_usd > 0.0


def test_retry_after_is_honoured(tmp_path: Path):
    log = tmp_path / "log"
    with (
        server_that(log, throttle_share=0.6, retry_after_s=0.4) as server,
        teacher_at(server.base_url, tmp_path) as (teacher, _),
    ):
        for number in range(6):
            teacher.ask_sync(ask_for(number))
        assert teacher.stats.throttled > 0
    events = list(read_log(log))
    received: dict[str, list[float]] = {}
    for event in events:
        if event.event == "received":
            received.setdefault(event.call, []).append(event.at)
    gaps = [b - a for times in received.values() for a, b in pairwise(times)]
    assert gaps
    assert min(gaps) >= 0.4


def test_no_slot_is_held_while_backing_off(tmp_path: Path):
    """One slot, a first call that is told to wait 5 s: the others pass it meanwhile."""
    with server_that(throttle_share=0.5, retry_after_s=5.0) as server:
        throttled, free = split_by_first_answer(20)
        with teacher_at(server.base_url, tmp_path, max_in_flight=1) as (teacher, _):
            waiting = teacher.submit(ask_for(throttled[0], seed=2))
            while teacher.stats.throttled == 0:
                time.sleep(0.01)
            started = time.monotonic()
            for number in free[:3]:
                assert teacher.ask_sync(ask_for(number, seed=2)).outcome is Outcome.SUCCESS
            assert time.monotonic() - started < 4.0
            assert not waiting.done()


def split_by_first_answer(count: int) -> tuple[list[int], list[int]]:
    """Return which rows are throttled at their first attempt, and which not."""
    digests = [sha256(ask_for(n, seed=2).wire_body()).hexdigest() for n in range(count)]
    throttled = [n for n in range(count) if chance("throttle_share", digests[n], "1") < 0.5]
    return throttled, [n for n in range(count) if n not in throttled]


def test_throttling_above_a_load_lets_every_row_through(tmp_path: Path):
    trouble = {"throttle_above": 4, "latency_ms": 20, "retry_after_s": 0.05}
    with (
        server_that(**trouble) as server,
        teacher_at(server.base_url, tmp_path, max_in_flight=16) as (teacher, _),
    ):
        futures = [teacher.submit(ask_for(number)) for number in range(60)]
        assert {future.result(60).outcome for future in futures} == {Outcome.SUCCESS}
        assert teacher.stats.throttled > 0
        assert teacher.stats.calls == 60
        address = urlsplit(server.base_url)
        connection = HTTPConnection(address.hostname or "", address.port)
        connection.request("GET", "/stats")
        stats = json.loads(connection.getresponse().read())
    assert stats["status"]["200"] == 60
