"""SIGKILL in the middle of asking: nothing received is lost, nothing received is bought twice."""

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from sightline.schemas import LEDGER
from tests.infra.teachers import answered, open_ledger, server_that

DRIVER = Path(__file__).with_name("teacher_driver.py")
IN_FLIGHT = 8
ROWS = 120


def drive(base_url: str, folder: Path) -> "subprocess.Popen[bytes]":
    command = [sys.executable, str(DRIVER), base_url, str(folder), str(IN_FLIGHT), str(ROWS)]
    return subprocess.Popen(command, cwd=DRIVER.parents[3], env=os.environ | {"PYTHONPATH": "."})


def returned_calls(folder: Path) -> list[str]:
    path = folder / "returned"
    lines = path.read_text().splitlines() if path.exists() else []
    return [json.loads(line)["call"] for line in lines]


def ledger_calls(folder: Path) -> Counter[str]:
    with open_ledger(folder) as ledger:
        table = ledger._lake.read(LEDGER, columns=["request_key", "draw"])
    return Counter(f"{row['request_key']}/{row['draw']}" for row in table.to_pylist())


@pytest.mark.parametrize("kill_at", [10, 60])
def test_killed_run_loses_nothing_and_buys_nothing_twice(tmp_path: Path, kill_at: int):
    log = tmp_path / "log"
    with server_that(log, latency_ms=30, latency_sigma=0.5, server_error_share=0.05) as server:
        process = drive(server.base_url, tmp_path)
        deadline = time.monotonic() + 60
        while len(answered(log)) < kill_at and time.monotonic() < deadline:
            time.sleep(0.005)
        process.send_signal(signal.SIGKILL)
        process.wait()
        time.sleep(0.5)
        sent = Counter(event.call for event in answered(log))
        kept = ledger_calls(tmp_path)
        assert set(returned_calls(tmp_path)) <= set(kept)
        assert set(kept) <= set(sent)
        assert len(set(sent) - set(kept)) <= IN_FLIGHT
        assert kill_at - IN_FLIGHT <= len(kept) < ROWS

        assert drive(server.base_url, tmp_path).wait(60) == 0
        after, final = Counter(e.call for e in answered(log)), ledger_calls(tmp_path)
    assert set(final.values()) == {1}
    assert len(final) == ROWS
    assert all(after[call] == 1 for call in kept)
    assert after.total() - len(final) <= IN_FLIGHT


def test_two_processes_at_once_pay_each_call_once(tmp_path: Path):
    log = tmp_path / "log"
    with server_that(log, latency_ms=20) as server:
        processes = [drive(server.base_url, tmp_path) for _ in range(2)]
        assert [process.wait(90) for process in processes] == [0, 0]
    assert Counter(Counter(event.call for event in answered(log)).values()) == {1: ROWS}
    assert Counter(ledger_calls(tmp_path).values()) == {1: ROWS}
