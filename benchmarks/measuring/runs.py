"""Runs one client program against one endpoint and measures it from outside.

Time, CPU and memory are those of the client's whole process tree; calls are counted in the
endpoint's own log, so a client cannot flatter itself.
"""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from benchmarks.measuring.process_tree import TreeMeter, growth
from benchmarks.peers.job import Job
from infra.embedded_teacher.request_log import read_log
from tasks.distill.parse import FinalReply, parse_final

ROOT: Final = Path(__file__).resolve().parents[2]
PEERS: Final = ROOT / "benchmarks" / "peers"
OK: Final = 200
THROTTLED: Final = 429
SERVER_ERROR: Final = 500
OUTPUT: Final = "output"


@dataclass(frozen=True, slots=True)
class Client:
    """A runner script and the interpreter of the environment it needs."""

    name: str
    script: str
    python: Path
    takes_images: bool = True


@dataclass(frozen=True, slots=True)
class Measured:
    """What one client did with one job."""

    seconds: float
    cpu_s: float
    peak_rss_mb: float
    rss_growth: float
    accepted: int
    paid_calls: int
    throttled: int
    server_errors: int
    returncode: int
    error: str

    def row(self, rows: int, ideal_calls: float) -> dict[str, Any]:
        """Return the figures as a row of the result table."""
        accepted = max(self.accepted, 1)
        return {
            "rows_per_s": round(self.accepted / self.seconds, 1),
            "cpu_s_per_1000_rows": round(1000 * self.cpu_s / accepted, 2),
            "peak_rss_mb": round(self.peak_rss_mb),
            "rss_last_over_second_quarter": round(self.rss_growth, 2),
            "accepted_share": round(self.accepted / rows, 4),
            "paid_calls_per_accepted_row": round(self.paid_calls / accepted, 3),
            "over_ideal": round(self.paid_calls / accepted / ideal_calls, 3),
            "answers_429": self.throttled,
            "answers_500": self.server_errors,
            "seconds": round(self.seconds, 1),
        } | ({"error": self.error} if self.returncode else {})


def clients_in(peers: Path | None) -> list[Client]:
    """Return the clients that can run here: ours, the plain loop, and the installed peers."""
    own = Path(sys.executable)
    found = [
        Client("sightline", "sightline_engine.py", own),
        Client("plain openai loop", "plain_openai.py", own),
    ]
    installed = (
        Client("bespokelabs-curator", "curator.py", Path("curator")),
        Client("data-designer", "data_designer_peer.py", Path("data_designer")),
        Client("distilabel", "distilabel_peer.py", Path("distilabel"), takes_images=False),
        Client("datatrove", "datatrove_peer.py", Path("datatrove")),
        Client("daft", "daft_peer.py", Path("daft")),
        Client("ray data http", "ray_data_peer.py", Path("ray_data")),
    )
    for client in installed:
        python = peers / client.python / "bin" / "python" if peers else None
        if python is not None and python.exists():
            found.append(Client(client.name, client.script, python, client.takes_images))
    return found


def start_client(client: Client, job: Job) -> "subprocess.Popen[bytes]":
    """Start the client's runner in a process group of its own; its output goes to its state."""
    state = Path(job.state)
    state.mkdir(parents=True, exist_ok=True)
    job_file = state / "job.json"
    job_file.write_text(json.dumps(asdict(job)))
    with (state / OUTPUT).open("ab") as output:
        return subprocess.Popen(
            [str(client.python), str(PEERS / client.script), str(job_file)],
            stdout=output,
            stderr=subprocess.STDOUT,
            env=os.environ | {"PYTHONPATH": f"{PEERS}:{ROOT}"},
            cwd=state,
            start_new_session=True,
        )


def kill_group(child: "subprocess.Popen[bytes]") -> None:
    """SIGKILL the client and all it started."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child.pid, signal.SIGKILL)


def run_client(client: Client, job: Job, log: Path, limit_s: float) -> Measured:
    """Return what `client` did; one that takes longer than `limit_s` is ended."""
    began = time.monotonic()
    child = start_client(client, job)
    meter = TreeMeter(child.pid)
    returncode, cpu_s = _wait(child, began + limit_s)
    seconds = time.monotonic() - began
    usage = meter.close(cpu_s)
    kill_group(child)
    events = Counter(event.status for event in read_log(log) if event.event == "answered")
    return Measured(
        seconds=seconds,
        cpu_s=usage.cpu_s,
        peak_rss_mb=usage.peak_rss_bytes / 2**20,
        rss_growth=growth(usage.rss_bytes),
        accepted=len(accepted_rows(Path(job.out_file))),
        paid_calls=events[OK],
        throttled=events[THROTTLED],
        server_errors=events[SERVER_ERROR],
        returncode=returncode,
        error=_last_line(Path(job.state) / OUTPUT),
    )


def accepted_rows(out_file: Path) -> list[str]:
    """Return the ids of rows that got a reply with reasoning and an answer, whole."""
    if not out_file.exists():
        return []
    with out_file.open(encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    return [row["id"] for row in rows if isinstance(parse_final(row["text"]), FinalReply)]


def _wait(child: "subprocess.Popen[bytes]", until: float) -> tuple[int, float]:
    while time.monotonic() < until:
        pid, status, usage = os.wait4(child.pid, os.WNOHANG)
        if pid:
            child.returncode = os.waitstatus_to_exitcode(status)
            return child.returncode, usage.ru_utime + usage.ru_stime
        time.sleep(0.02)
    kill_group(child)
    _, _, usage = os.wait4(child.pid, 0)
    child.returncode = -9
    return -9, usage.ru_utime + usage.ru_stime


def _last_line(path: Path) -> str:
    lines = path.read_text(errors="replace").strip().splitlines()
    return lines[-1][:300] if lines else ""
