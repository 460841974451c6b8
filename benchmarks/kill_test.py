"""SIGKILL at random points: what is lost, doubled or bought twice, by the teacher's own log.

    python benchmarks/kill_test.py [--builds 20] [--trials 6] [--peers FOLDER]

Part one kills client programs (our engine, a plain loop, peers that resume) at 30, 60 and 90 % of
the answers and runs them again on the state they left.  Part two kills whole builds: the driver, a
worker on Ray, or Ray's head, at random points, and builds again.  `lost` are received answers that
the ledger (or the client's output) lacks at the end, `doubled` rows that stand there twice.
Calls that were on the wire at the kill are counted apart: nobody received their answers.
"""

import argparse
import json
import os
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.measuring.machine import machine
from benchmarks.measuring.money import Bought, answered, bought
from benchmarks.measuring.rows import write_rows
from benchmarks.measuring.runs import Client, accepted_rows, clients_in, kill_group, start_client
from benchmarks.peers.job import Job
from infra.embedded_teacher.misbehaviour import Misbehaviour
from infra.embedded_teacher.names import DEFAULT_MODEL
from infra.embedded_teacher.server import EmbeddedTeacher, ServerConfig
from infra.prefect_api.server import prefect_api
from infra.settings import load_settings
from tests.flows.processes import ledger_calls, processes_of, wait_until
from tests.flows.site import Site

SHARES: Final = (0.3, 0.6, 0.9)
ROWS: Final = 300
IN_FLIGHT: Final = 16
LIMIT_S: Final = 180.0
RESUMABLE: Final = (
    "sightline",
    "plain openai loop",
    "bespokelabs-curator",
    "data-designer",
    "datatrove",
)
BUILD: Final = ("source.n=12", "part_rows=4")
CALLS_OF_BUILD: Final = 90
"""About what this recipe asks; kills fall in the first nine tenths."""

TARGETS: Final = ("driver", "worker", "head")
MARKS: Final = {"worker": "ray::", "head": "gcs_server"}
"""What the command line of a process holds."""


def main() -> None:
    """Kill, resume, count, print one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--builds", type=int, default=20, help="Killed builds.")
    parser.add_argument("--trials", type=int, default=6, help="Kills per client.")
    parser.add_argument("--peers", type=Path, help="Folder that peers/install.sh filled.")
    parser.add_argument("--seed", type=int, default=2511)
    given = parser.parse_args()
    rng = random.Random(given.seed)  # noqa: S311 - no secrets
    found: dict[str, Any] = {"machine": machine("prefect", "ray", "openai")}
    with tempfile.TemporaryDirectory(prefix="sightline-kill-") as name:
        folder = Path(name)
        found["clients"] = {
            client.name: client_trials(client, given.trials, folder)
            for client in clients_in(given.peers)
            if client.name in RESUMABLE
        }
        found["builds"] = build_trials(given.builds, folder, rng)
    print(json.dumps(found, indent=2))


def client_trials(client: Client, trials: int, folder: Path) -> dict[str, Any]:
    """Return the sums over `trials` kills of one client."""
    rows = write_rows(folder / "rows.jsonl", ROWS)
    results = [killed_client(client, SHARES[n % len(SHARES)], rows, folder) for n in range(trials)]
    return summed(results)


def killed_client(client: Client, share: float, rows: Path, folder: Path) -> dict[str, int]:
    """Return the counts of one killed and resumed client."""
    home = Path(tempfile.mkdtemp(prefix=f"{client.script}-", dir=folder))
    log = home / "requests.jsonl"
    trouble = Misbehaviour.from_mapping({"latency_ms": 100, "latency_sigma": 0.5})
    with EmbeddedTeacher(ServerConfig(misbehaviour=trouble, log=log)) as server:
        job = Job(
            base_url=server.base_url,
            model=DEFAULT_MODEL,
            in_flight=IN_FLIGHT,
            max_tokens=512,
            rows_file=str(rows),
            out_file=str(home / "out.jsonl"),
            state=str(home / "state"),
        )
        child = start_client(client, job)
        wait_until(lambda: len(answered(log)) >= share * ROWS, LIMIT_S)
        killed_at = time.time()
        kill_group(child)
        child.wait()
        time.sleep(0.5)  # answers on the wire are logged
        again = start_client(client, job)
        wait_until(lambda: again.poll() is not None, LIMIT_S)
        kill_group(again)
    ids = Counter(accepted_rows(Path(job.out_file)))
    counts = asdict(bought(log, killed_at))
    return counts | {"rows_missing": ROWS - len(ids), "doubled": ids.total() - len(ids)}


def build_trials(builds: int, folder: Path, rng: random.Random) -> dict[str, Any]:
    """Return the sums over `builds` killed builds, per target."""
    settings = load_settings(prefect_home=str(folder / "prefect"), prefect_port=0)
    results: dict[str, list[dict[str, int]]] = {target: [] for target in TARGETS}
    with prefect_api(settings) as session:
        for number in range(builds):
            target = TARGETS[number % len(TARGETS)]
            site = Site(folder / f"build-{number}", session.url)
            site.folder.mkdir()
            answers = rng.randrange(3, int(0.9 * CALLS_OF_BUILD))
            results[target].append(killed_build(site, target, answers))
            print(f"{target} at {answers}: {results[target][-1]}", file=sys.stderr, flush=True)
    return {target: summed(counts) for target, counts in results.items() if counts}


def killed_build(site: Site, target: str, answers: int) -> dict[str, int]:
    """Return the counts of one build whose `target` is killed after `answers` answers."""
    log = site.folder / "requests.jsonl"
    trouble = Misbehaviour.from_mapping({"latency_ms": 60, "server_error_share": 0.03})
    overrides = [f"--set={change}" for change in BUILD]
    with EmbeddedTeacher(ServerConfig(misbehaviour=trouble, log=log)) as server:
        settings = {
            "teacher_base_url": server.base_url,
            "teacher_concurrency": 8,
            "teacher_workers": 2,
            "pool": "ray",
        }
        build = site.start("build", "demo", *overrides, **settings)
        wait_until(lambda: len(answered(log)) >= answers or build.poll() is not None, LIMIT_S)
        killed_at = time.time()
        kill(build.pid, target, site)
        build.communicate(timeout=LIMIT_S)
        failed = build.returncode != 0
        if failed:
            wait_until(lambda: not processes_of(site.folder), 60)
            done = site.command("build", "demo", *overrides, **settings)
            if done.returncode:
                sys.exit(f"the build after the kill failed:\n{done.stderr[-3000:]}")
    counts = bought(log, killed_at)
    kept = ledger_calls(site.lake())
    return _build_counts(counts, kept, log, resumed=failed)


def _build_counts(
    counts: Bought, kept: Counter[str], log: Path, *, resumed: bool
) -> dict[str, int]:
    paid = {event.call for event in answered(log)}
    return asdict(counts) | {
        "lost": len(paid - set(kept)),
        "doubled": kept.total() - len(kept),
        "needed_a_second_build": int(resumed),
    }


def kill(pid: int, target: str, site: Site) -> None:
    """SIGKILL the driver, or one process of its Ray that `target` names."""
    if target == "driver":
        os.kill(pid, signal.SIGKILL)
        return
    found = [line for line in processes_of(site.folder) if MARKS[target] in line]
    if not found:
        sys.exit(f"no process of Ray's {target} is alive: a kill that hits nothing proves nothing")
    os.kill(int(found[-1].split()[0]), signal.SIGKILL)


def summed(counts: list[dict[str, int]]) -> dict[str, Any]:
    """Return the number of kills and the sums of every count."""
    names = counts[0].keys() if counts else ()
    return {"kills": len(counts)} | {name: sum(c[name] for c in counts) for name in names}


if __name__ == "__main__":
    main()
