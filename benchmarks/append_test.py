"""What a change costs: +10 % rows, another parser, another prompt; in calls, by the teacher's log.

    python benchmarks/append_test.py [--peers FOLDER] [--scenes 40]

Our builds go through the whole platform.  Peers run on a file of questions, then on the same file
with a tenth more rows and the state they kept.  The ideal of +10 % rows is the calls that the new
rows need; a changed parser needs none; a changed final prompt needs the final calls and no other.
"""

import argparse
import json
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any, Final

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.measuring.machine import machine
from benchmarks.measuring.money import answered
from benchmarks.measuring.rows import write_rows
from benchmarks.measuring.runs import Client, clients_in, run_client
from benchmarks.peers.job import Job
from infra.catalog.catalog import Catalog
from infra.embedded_teacher.names import DEFAULT_MODEL
from infra.embedded_teacher.server import EmbeddedTeacher, ServerConfig
from infra.prefect_api.server import prefect_api
from infra.settings import load_settings
from tasks.distill.asks import template
from tasks.distill.case import ChainParams
from tasks.distill.stages import Stage
from tests.flows.site import Site

ROWS: Final = 200
MORE: Final = 1.1
CALM: Final = "embedded_teacher={}"
"""Overrides of the demo recipe: a teacher that makes no errors, so that counts can be compared."""


def main() -> None:
    """Build, change, build again, and print one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--peers", type=Path, help="Folder that peers/install.sh filled.")
    parser.add_argument("--scenes", type=int, default=40)
    given = parser.parse_args()
    found: dict[str, Any] = {"machine": machine("prefect", "openai")}
    with tempfile.TemporaryDirectory(prefix="sightline-append-") as name:
        folder = Path(name)
        found["builds"] = builds(folder, given.scenes)
        found["ten percent more rows, by client"] = {
            client.name: appended(client, folder) for client in clients_in(given.peers)
        }
    print(json.dumps(found, indent=2))


def builds(folder: Path, scenes: int) -> dict[str, Any]:
    """Return the calls of a first build and of the builds after each change."""
    settings = load_settings(prefect_home=str(folder / "prefect"), prefect_port=0)
    log = folder / "requests.jsonl"
    with prefect_api(settings) as session, EmbeddedTeacher(ServerConfig(log=log)) as server:
        site = Site(folder / "site", session.url)
        site.folder.mkdir()

        def calls_of(command: str, *overrides: str) -> int:
            before = len(answered(log))
            changes = [f"--set={change}" for change in (CALM, *overrides)]
            done = site.command(
                command, "demo", *changes, teacher_base_url=server.base_url, teacher_probe=False
            )
            if done.returncode:
                sys.exit(f"{command} failed:\n{done.stderr[-3000:]}")
            return len(answered(log)) - before

        more = f"source.n={int(scenes * MORE)}"
        first = calls_of("build", f"source.n={scenes}")
        appended_calls = calls_of("build", more)
        final = template(Stage.FINAL, ChainParams(DEFAULT_MODEL)).replace("\n", " \n", 1)
        prompt = f"steps.distill.prompts.final={json.dumps(final)}"
        return {
            "first build": first,
            "same again": calls_of("build", more),
            "10 % more scenes": appended_calls,
            "as a share of the first": round(appended_calls / first, 3),
            "changed parser (sightline reparse)": calls_of("reparse", more),
            "changed final prompt": calls_of("build", more, prompt),
            "final replies in the lake": final_replies(site),
        }


def final_replies(site: Site) -> int:
    """Return how many replies of the stage `final` the lake holds."""
    with Catalog(site.lake()) as catalog:
        counts = catalog.query("select stage, count(*) as n from generations group by stage")
    return Counter({row["stage"]: row["n"] for row in counts.to_pylist()})["final"]


def appended(client: Client, folder: Path) -> dict[str, Any]:
    """Return the calls of a client on ROWS rows, and again on a tenth more."""
    home = Path(tempfile.mkdtemp(prefix=f"{client.script}-", dir=folder))
    log = home / "requests.jsonl"
    paid: list[int] = []
    with EmbeddedTeacher(ServerConfig(log=log)) as server:
        for count in (ROWS, int(ROWS * MORE)):
            job = Job(
                base_url=server.base_url,
                model=DEFAULT_MODEL,
                in_flight=16,
                max_tokens=512,
                rows_file=str(write_rows(home / f"{count}.jsonl", count)),
                out_file=str(home / f"out-{count}.jsonl"),
                state=str(home / "state"),
            )
            run_client(client, job, log, 180.0)
            paid.append(len(answered(log)) - sum(paid))
    return {"first": paid[0], "after +10 %": paid[1], "ideal": int(ROWS * MORE) - ROWS}


if __name__ == "__main__":
    main()
