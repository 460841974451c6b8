"""What is alive of a build, and what is durable of what it bought; read from outside."""

import os
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from infra.lake.lake import Lake
from infra.ledger.disk_segments import read_segment, segments
from infra.ledger.ledger import spool_folder
from infra.ledger.row import LedgerRow
from sightline.schemas import LEDGER

POLL_S = 0.02


def wait_until(holds: Callable[[], bool], seconds: float) -> bool:
    """Return whether `holds()` came true in time."""
    until = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > until:
            return False
        time.sleep(POLL_S)
    return True


def processes_of(folder: Path) -> list[str]:
    """Return the command lines of living processes that a build under `folder` started."""
    mark = f"SIGHTLINE_STATE_DIR={folder / 'state'}".encode()
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if mark in (process / "environ").read_bytes().split(b"\0"):
                command = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode()
                found.append(f"{process.name} {command}")
        except OSError:
            continue
    return [line for line in found if not line.startswith(f"{os.getpid()} ")]


def spooled_calls(folder: Path, lake: Lake) -> list[str]:
    """Return the calls whose responses are durable on disk but not yet in the table."""
    spool = spool_folder(folder / "state" / "spool", lake.uri)
    rows = [
        LedgerRow.from_payload(payload)
        for segment in segments(spool)
        for payload in read_segment(segment).payloads
    ]
    return [f"{row.request_key}/{row.draw}" for row in rows]


def ledger_calls(lake: Lake) -> Counter[str]:
    """Return the calls of the ledger table, each with how often it stands there."""
    rows = lake.read(LEDGER, columns=["request_key", "draw"]).to_pylist()
    return Counter(f"{row['request_key']}/{row['draw']}" for row in rows)
