"""Machines that share a bucket and nothing else: each call is paid once, whoever is killed.

A machine is a process with a spool folder of its own.  What was paid is counted in the teacher's
own log.
"""

import dataclasses
import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from infra.lake.lake import Lake
from infra.ledger.ledger import Ledger
from infra.ledger.row import LedgerRow
from sightline.schemas import LEDGER
from tests.infra.teachers import answered, server_that

DRIVER = Path(__file__).with_name("machine_driver.py")
IN_FLIGHT = 8
ROWS = 40

pytestmark = pytest.mark.s3


@contextmanager
def machine(job: dict[str, Any]) -> "Iterator[subprocess.Popen[bytes]]":
    environment = os.environ | {"PYTHONPATH": "."}
    with subprocess.Popen(
        [sys.executable, str(DRIVER), json.dumps(job)],
        cwd=DRIVER.parents[3],
        env=environment,
        stdout=subprocess.PIPE,
    ) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == b"started\n"
            yield process
        finally:
            process.kill()


def job_on(lake: Lake, base_url: str, spool: Path, **changes: object) -> dict[str, Any]:
    storage = dataclasses.asdict(lake.storage)
    common = {"base_url": base_url, "lake": lake.uri, "storage": storage, "spool": str(spool)}
    return common | {"spool_in_lake": False, "rows": ROWS, "expiry_s": 60.0} | changes


def ledger_calls(lake: Lake) -> Counter[str]:
    rows = [LedgerRow.from_columns(row) for row in lake.read(LEDGER).to_pylist()]
    return Counter(f"{row.request_key}/{row.draw}" for row in rows)


def test_two_machines_that_ask_for_the_same_calls_at_once_pay_each_once(
    s3_lake: Lake, tmp_path: Path
):
    log = tmp_path / "log"
    with (
        server_that(log, latency_ms=50) as server,
        machine(job_on(s3_lake, server.base_url, tmp_path / "one")) as one,
        machine(job_on(s3_lake, server.base_url, tmp_path / "two")) as two,
    ):
        assert [one.wait(60), two.wait(60)] == [0, 0]
    paid = Counter(event.call for event in answered(log))
    assert set(paid.values()) == {1}
    assert ledger_calls(s3_lake) == paid
    assert paid.total() == ROWS


@pytest.mark.parametrize(
    ("spool_in_lake", "next_spool"),
    [
        pytest.param(False, "one", id="same machine, spool on its disk"),
        pytest.param(True, "two", id="another machine, spool in the lake"),
    ],
)
def test_run_that_is_killed_and_goes_on_elsewhere_loses_no_reply_and_pays_none_twice(
    s3_lake: Lake,
    tmp_path: Path,
    spool_in_lake: bool,  # noqa: FBT001
    next_spool: str,
):
    log, common = tmp_path / "log", {"spool_in_lake": spool_in_lake, "expiry_s": 2.0}
    with server_that(log, latency_ms=50) as server:
        with machine(job_on(s3_lake, server.base_url, tmp_path / "one", **common)) as killed:
            wait_for_answers(log, 20)
            killed.send_signal(signal.SIGKILL)
            killed.wait()
        with Ledger(s3_lake, tmp_path / next_spool):
            kept = ledger_calls(s3_lake)
        with machine(job_on(s3_lake, server.base_url, tmp_path / next_spool, **common)) as goes_on:
            assert goes_on.wait(60) == 0
    paid = Counter(event.call for event in answered(log))
    assert 20 - IN_FLIGHT <= len(kept) < ROWS
    assert all(paid[call] == 1 for call in kept)
    assert paid.total() <= ROWS + IN_FLIGHT  # what was on the wire, or not yet durable
    assert ledger_calls(s3_lake) == Counter(dict.fromkeys(paid, 1))


def wait_for_answers(log: Path, count: int) -> None:
    deadline = time.monotonic() + 60
    while len(answered(log)) < count and time.monotonic() < deadline:
        time.sleep(0.005)
