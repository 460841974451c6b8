"""How long one part takes to become visible, on a local folder and on an S3 server.

    python benchmarks/lake_commit.py [--parts 60] [--rows 1000]

One part of `verdicts` after the other is staged (Parquet, upload) and published (one Delta
transaction), each through fresh handles as in a build.  Prints one JSON object: median, 90th
percentile and worst in milliseconds, and the machine.  At most 20 s per place; the S3 server is the
test suite's (Ceph RGW where it is installed, else moto_server), on this machine.
"""

import argparse
import json
import statistics
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pyarrow as pa

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # for the S3 server of the tests

from benchmarks.measuring.machine import machine
from infra.lake.lake import Lake
from sightline.provenance import fingerprint_of
from sightline.schemas import VERDICTS
from tests.factories import payload_of
from tests.servers import s3

SECONDS_PER_PLACE = 20.0


def commit_times(lake: Lake, parts: int, payload: pa.Table) -> dict[str, Any]:
    """Return how long staging and publishing took, over at most `parts` parts."""
    staging: list[float] = []
    publishing: list[float] = []
    until = time.monotonic() + SECONDS_PER_PLACE
    for number in range(parts):
        if time.monotonic() > until:
            break
        part, mark = f"part-{number:04d}", fingerprint_of([number])
        rows = VERDICTS.with_provenance(payload, part=part, run_id="run", fingerprint=mark)
        began = time.perf_counter()
        with lake.stage(VERDICTS, part, mark) as writer:
            writer.write(rows)
            staged = writer.finish()
        between = time.perf_counter()
        lake.publish(VERDICTS, [staged])
        staging.append(between - began)
        publishing.append(time.perf_counter() - between)
    rows_read = lake.read(VERDICTS, columns=["subject_id"]).num_rows
    assert rows_read == len(staging) * payload.num_rows  # noqa: S101 - else the times mean nothing
    return {
        "parts": len(staging),
        "stage_ms": summary(staging),
        "publish_ms": summary(publishing),
    }


def summary(seconds: list[float]) -> dict[str, float]:
    """Return median, 90th percentile and worst in milliseconds."""
    in_order = sorted(seconds)
    return {
        "median": round(statistics.median(in_order) * 1000, 1),
        "p90": round(in_order[int(0.9 * (len(in_order) - 1))] * 1000, 1),
        "worst": round(in_order[-1] * 1000, 1),
    }


def main() -> None:
    """Measure both places and print the result."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--parts", type=int, default=60)
    parser.add_argument("--rows", type=int, default=1000, help="Rows of one part.")
    given = parser.parse_args()
    payload = payload_of(VERDICTS, given.rows)
    found: dict[str, Any] = {
        "rows_per_part": given.rows,
        "machine": machine("deltalake", "pyarrow"),
    }
    with tempfile.TemporaryDirectory(prefix="sightline-bench-") as folder:
        found["local folder"] = commit_times(Lake(folder), given.parts, payload)
    server = s3.start()
    with closing(server.processes):
        lake = Lake(server.uri("bench"), server.storage)
        found[f"S3: {server.name}"] = commit_times(lake, given.parts, payload)
    print(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
