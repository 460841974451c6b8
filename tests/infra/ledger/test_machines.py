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
    return common | {"spool_in_lake": False, "rows": ROWS} | changes


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


def test_replies_of_a_killed_machine_are_found_by_the_next_one_on_another_disk(
    s3_lake: Lake, tmp_path: Path
):
    log = tmp_path / "log"
    with server_that(log, latency_ms=50) as server:
        with machine(
            job_on(s3_lake, server.base_url, tmp_path / "one", spool_in_lake=True)
        ) as killed:
            wait_for_answers(log, 20)
            killed.send_signal(signal.SIGKILL)
            killed.wait()
        with Ledger(s3_lake, tmp_path / "two") as ledger:
            kept = ledger_calls(s3_lake)
            assert all(ledger.lookup(call[:64], int(call[65:])) for call in kept)
    paid = Counter(event.call for event in answered(log))
    assert set(kept.values()) == {1}
    assert set(kept) <= set(paid)
    assert paid.total() - len(kept) <= 8 + 8  # on the wire, or received and being made durable


def wait_for_answers(log: Path, count: int) -> None:
    deadline = time.monotonic() + 60
    while len(answered(log)) < count and time.monotonic() < deadline:
        time.sleep(0.005)
