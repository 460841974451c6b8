"""The teacher engine beside its peers: rows/s, CPU, memory and paid calls on one endpoint.

    sh benchmarks/peers/install.sh FOLDER     # the peers, each in an environment of its own
    python benchmarks/teacher_engine.py [--peers FOLDER] [--rows 1500] [--in-flight 512]

The endpoint is the embedded teacher over HTTP with log-normal latency and 300 kB images; its
ceiling is capacity over mean latency.  Workloads: `rough` (5 % server errors, 3 % truncated
replies, 429 above capacity), `calm` (none of these, for peers that end at the first error) and
`throttle` (text only; every call is refused for a while).  Rows count when their answer is whole
and can be parsed; calls are counted in the endpoint's own log.  All clients run one after the
other in one run on the same rows; CPU is user and system time of the client's process tree, less
what a run of 8 rows takes.
"""

import argparse
import json
import math
import statistics
import sys
import tempfile
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.measuring.machine import machine
from benchmarks.measuring.rows import write_pictures, write_rows
from benchmarks.measuring.runs import OK, Client, Measured, clients_in, run_client
from benchmarks.peers.job import Job
from infra.embedded_teacher.misbehaviour import Misbehaviour
from infra.embedded_teacher.names import DEFAULT_MODEL
from infra.embedded_teacher.request_log import read_log
from infra.embedded_teacher.server import EmbeddedTeacher, ServerConfig

SIGMA: Final = 0.5
SHARE_ERRORS: Final = 0.05
SHARE_CUT: Final = 0.03
STARTUP_ROWS: Final = 8
MAX_TOKENS: Final = 512
THROTTLE_AFTER_S: Final = 15.0
RECOVERED: Final = 0.9
"""Share of the rate before the window that counts as recovered."""


@dataclass(frozen=True, slots=True)
class Workload:
    """How the endpoint behaves, and what that makes of the ideal.

    Attributes:
        trouble: keys of `Misbehaviour`.
        with_images: whether rows have pictures.
        ideal_calls: paid calls per row that cannot be avoided.
    """

    name: str
    trouble: dict[str, Any] = field(default_factory=dict)
    with_images: bool = True
    ideal_calls: float = 1.0

    @property
    def sends_per_row(self) -> float:
        """Return requests per row that an ideal client sends, errors included."""
        return self.ideal_calls / (1 - self.trouble.get("server_error_share", 0.0))


@dataclass(frozen=True, slots=True)
class Bench:
    """One run of this script."""

    given: argparse.Namespace
    folder: Path
    rows: dict[tuple[bool, int], Path] = field(default_factory=dict)

    def rows_file(self, count: int, *, with_images: bool) -> Path:
        """Return a file of `count` rows, written once."""
        key = (with_images, count)
        if key not in self.rows:
            pictures = write_pictures(self.folder) if with_images else ()
            path = self.folder / f"rows-{count}-{'images' if with_images else 'text'}.jsonl"
            self.rows[key] = write_rows(path, count, pictures)
        return self.rows[key]

    def run(self, client: Client, workload: Workload, rows_file: Path) -> tuple[Measured, Path]:
        """Return what the client did against a fresh endpoint, and the endpoint's log."""
        state = Path(tempfile.mkdtemp(prefix=f"{client.script}-", dir=self.folder))
        log = state / "requests.jsonl"
        trouble = Misbehaviour.from_mapping(workload.trouble)
        with EmbeddedTeacher(ServerConfig(misbehaviour=trouble, log=log)) as server:
            job = Job(
                base_url=server.base_url,
                model=DEFAULT_MODEL,
                in_flight=self.given.in_flight,
                max_tokens=MAX_TOKENS,
                rows_file=str(rows_file),
                out_file=str(state / "out.jsonl"),
                state=str(state / "state"),
            )
            return run_client(client, job, log, self.given.limit_s), log


def workloads(given: argparse.Namespace) -> list[Workload]:
    """Return the workloads that were asked for."""
    latency = {"latency_ms": given.latency_ms, "latency_sigma": SIGMA}
    capacity = {"throttle_above": given.capacity, "retry_after_s": 1}
    rough = {"server_error_share": SHARE_ERRORS, "truncation_share": SHARE_CUT}
    until_s = THROTTLE_AFTER_S + given.throttle_s
    window = {"throttle_window": [THROTTLE_AFTER_S, until_s]}
    images = not given.text_only
    known = [
        Workload("rough", latency | capacity | rough, images, 1 + SHARE_CUT),
        Workload("calm", latency, images),
        Workload("throttle", latency | capacity | window, with_images=False),
    ]
    return [workload for workload in known if workload.name in given.workloads]


def main() -> None:
    """Measure every client that can run here and print one JSON object."""
    given = arguments()
    mean_s = given.latency_ms / 1000 * math.exp(SIGMA**2 / 2)
    found: dict[str, Any] = {
        "machine": machine("openai", "pyarrow", "deltalake"),
        "latency_ms": {"median": given.latency_ms, "sigma": SIGMA},
        "capacity": given.capacity,
        "in_flight": given.in_flight,
        "rows": given.rows,
    }
    with tempfile.TemporaryDirectory(prefix="sightline-bench-") as name:
        bench = Bench(given, Path(name))
        for workload in workloads(given):
            ceiling = given.capacity / mean_s / workload.sends_per_row
            found[workload.name] = {
                "ceiling_rows_per_s": round(ceiling, 1),
                "clients": measure_all(bench, workload, ceiling),
            }
    print(json.dumps(found, indent=2))


def measure_all(bench: Bench, workload: Workload, ceiling: float) -> dict[str, Any]:
    """Return one row of figures per client."""
    found: dict[str, Any] = {}
    for client in clients_in(bench.given.peers):
        if bench.given.only and client.name not in bench.given.only:
            continue
        found[client.name] = row = measure(bench, client, workload)
        row["share_of_ceiling"] = round(row["rows_per_s_asking"] / ceiling, 3)
        row["share_of_ceiling_steady"] = round(row["rows_per_s_steady"] / ceiling, 3)
        print(f"{workload.name} {client.name}: {json.dumps(row)}", file=sys.stderr, flush=True)
    plain = found.get("plain openai loop", {}).get("cpu_s_per_1000_rows")
    for row in found.values():
        if plain and row["cpu_s_per_1000_rows"] is not None:
            row["cpu_over_plain_loop"] = round(row["cpu_s_per_1000_rows"] / plain, 2)
    return found


def measure(bench: Bench, client: Client, workload: Workload) -> dict[str, Any]:
    """Return the figures of one client."""
    images = workload.with_images and client.takes_images
    count = bench.given.rows
    calm = Workload("start-up", {"latency_ms": 1}, images)
    startup, _ = bench.run(client, calm, bench.rows_file(STARTUP_ROWS, with_images=images))
    measured, log = bench.run(client, workload, bench.rows_file(count, with_images=images))
    row = measured.row(count, workload.ideal_calls)
    cpu_s = measured.cpu_s - startup.cpu_s
    row["cpu_s_per_1000_rows"] = (
        round(1000 * cpu_s / measured.accepted, 2) if measured.accepted else None
    )
    row["startup_cpu_s"] = round(startup.cpu_s, 2)
    row["images"] = images
    row["rows_per_s_asking"] = rate_while_asking(log, measured.accepted)
    row["rows_per_s_steady"] = steady_rate(log, measured.accepted)
    if "throttle_window" in workload.trouble:
        row["recovery_s"] = recovery_s(log, *workload.trouble["throttle_window"])
    return row


def rate_while_asking(log: Path, accepted: int) -> float:
    """Return rows/s between the first call received and the last answered: without start-up."""
    times = [event.at for event in read_log(log)]
    seconds = max(times) - min(times) if times else 0.0
    return round(accepted / seconds, 1) if seconds > 0 else 0.0


def steady_rate(log: Path, accepted: int) -> float:
    """Return rows/s over the middle half of the answers: without ramp-up and the slow last ones."""
    times = sorted(e.at for e in read_log(log) if e.event == "answered" and e.status == OK)
    quarter = len(times) // 4
    seconds = times[-quarter] - times[quarter] if quarter else 0.0
    share = (len(times) - 2 * quarter) / max(1, len(times))
    return round(accepted * share / seconds, 1) if seconds > 0 else 0.0


def recovery_s(log: Path, start_s: float, end_s: float) -> float | None:
    """Return seconds from the end of the window until the rate of before is back; null if never.

    The window is counted from the server's start, which the first refused call tells.
    """
    events = [event for event in read_log(log) if event.event == "answered"]
    refused = [event.at for event in events if event.status != OK]
    if not refused:
        return None
    window_ends, length_s = max(refused), end_s - start_s
    per_second = Counter(math.floor(e.at - window_ends) for e in events if e.status == OK)
    usual = statistics.median([n for second, n in per_second.items() if second < -length_s] or [0])
    back = [second for second, n in per_second.items() if second >= 0 and n >= RECOVERED * usual]
    return float(min(back)) if back else None


def arguments() -> argparse.Namespace:
    """Return the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--peers", type=Path, help="Folder that install.sh filled.")
    parser.add_argument("--only", nargs="*", help="Names of the clients to run.")
    parser.add_argument("--workloads", nargs="*", default=["rough", "calm"])
    parser.add_argument("--rows", type=int, default=1500)
    parser.add_argument("--in-flight", type=int, default=512)
    parser.add_argument("--capacity", type=int, default=512, help="429 above this many in flight.")
    parser.add_argument(
        "--latency-ms",
        type=float,
        default=150.0,
        help="Median.  Where the endpoint shares the machine, 512 calls at 150 ms are beyond what "
        "it can serve; 2800 puts the ceiling at 150 rows/s.",
    )
    parser.add_argument("--throttle-s", type=float, default=60.0, help="Length of the window.")
    parser.add_argument("--text-only", action="store_true")
    parser.add_argument("--limit-s", type=float, default=300.0, help="Per client.")
    return parser.parse_args()


if __name__ == "__main__":
    main()
