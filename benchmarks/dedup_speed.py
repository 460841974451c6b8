"""How fast text and image-hash deduplication is, and how it grows, beside its peers.

    sh benchmarks/peers/install.sh FOLDER     # the peers, each in an environment of its own
    python benchmarks/dedup_speed.py [--peers FOLDER] [--rows 1000000] [--only text peers ...]

Texts are templated rationales with planted near-duplicates; `--corpus` has natural text and rigid
templates too, where nearly every row finds 64 strangers in each of its buckets.  Everything runs on
one core, so rows per CPU second are rows/s/core; every size runs in a process of its own, whose
peak memory counts.  Peers make signatures for the first `--peer-rows` rows with as many
permutations; theirs are CPU seconds too.  Medians of `--repeats`; one JSON object; status 1 if a
goal is missed.
"""

import argparse
import json
import math
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.dedup_corpora.natural import natural
from benchmarks.dedup_corpora.templated import rigid, templated
from benchmarks.measuring import hash_join, incremental
from benchmarks.measuring.machine import machine
from benchmarks.measuring.peer_runs import PeerError, run_peer

ROOT: Final = Path(__file__).resolve().parents[1]
CORPORA: Final = {"templated": templated, "rigid": rigid, "natural": natural}
BLOCK_ROWS: Final = 50_000
STAGES: Final = ("text", "peers", "incremental", "hashes")
SIGNING_PEERS: Final = ("datasketch", "rensa", "daft", "datatrove")
GOALS: Final = {
    "signatures_rows_per_s_core": 150_000,
    "all_in_rows_per_s_core": 40_000,
    "peak_rss_mb": 2048,
    "growth_exponent": 1.05,
    "over_datasketch": 20,
    "incremental_share": 0.15,
    "hash_join_s": 5,
    "hash_join_recall": 0.985,
}


def main() -> None:
    """Measure what was asked for and print the result."""
    given = arguments()
    found: dict[str, Any] = {"machine": machine("numba", "numpy", "pyarrow"), "goals": GOALS}
    with tempfile.TemporaryDirectory(prefix="sightline-bench-") as name:
        texts = write_texts(Path(name), given)
        if "text" in given.only:
            found["text"] = text_figures(texts, given)
        if "peers" in given.only:
            found["peers"] = peer_figures(texts, given)
        if "incremental" in given.only:
            old = given.rows * 10 // 11
            found["incremental"] = incremental.measured(texts, old, given.rows - old, given.repeats)
    if "hashes" in given.only:
        found["hashes"] = hash_join.measured(given.rows, given.repeats, given.peers)
    found["goals_missed"] = missed(found)
    print(json.dumps(found, indent=2))
    sys.exit(bool(found["goals_missed"]))


def write_texts(folder: Path, given: argparse.Namespace) -> Path:
    """Write the corpus and return its file."""
    file = folder / "texts.parquet"
    schema = pa.schema([("text", pa.large_string())])
    with pq.ParquetWriter(file, schema) as writer:
        rows = CORPORA[given.corpus](given.rows)
        while block := list(islice(rows, BLOCK_ROWS)):
            writer.write_table(pa.table({"text": block}, schema=schema))
    return file


def first_rows(texts: Path, rows: int) -> Path:
    """Write the first `rows` texts to a file of their own and return it."""
    file = texts.with_name(f"texts-{rows}.parquet")
    pq.write_table(pq.read_table(texts).slice(0, rows), file)
    return file


def text_figures(texts: Path, given: argparse.Namespace) -> dict[str, Any]:
    """Return speed, memory and growth from 1 % of the rows to all."""
    by_size = {}
    for rows in (given.rows // 100, given.rows // 10, given.rows):
        file = first_rows(texts, rows)
        runs = [streamed(file) for _ in range(given.repeats)]
        by_size[rows] = row = sorted(runs, key=lambda run: run["cpu_s"])[len(runs) // 2]
        row["signatures_rows_per_s_core"] = round(rows / row["keys_cpu_s"])
        row["all_in_rows_per_s_core"] = round(rows / row["cpu_s"])
        row["peak_rss_mb"] = max(run["peak_rss_mb"] for run in runs)
        row["cpu_s_of_runs"] = [run["cpu_s"] for run in runs]
        print(json.dumps(row), file=sys.stderr, flush=True)
    small, large = by_size[given.rows // 100], by_size[given.rows]
    exponent = math.log(large["cpu_s"] / small["cpu_s"]) / math.log(large["rows"] / small["rows"])
    sample = pq.ParquetFile(texts).read_row_group(0)["text"].to_pylist()[:10_000]
    return {
        "corpus": given.corpus,
        "words_per_row": round(statistics.mean(len(text.split()) for text in sample), 1),
        "bytes_per_row": round(statistics.mean(len(text.encode()) for text in sample)),
        "sizes": list(by_size.values()),
        "growth_exponent": round(exponent, 3),
    }


def streamed(texts: Path) -> dict[str, Any]:
    """Return what one run in a process of its own says."""
    one = dict.fromkeys(("NUMBA_NUM_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
    command = [sys.executable, "-m", "benchmarks.measuring.streamed_dedup", str(texts)]
    env = os.environ | one | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, check=False)
    if done.returncode:
        raise SystemExit(done.stderr.decode(errors="replace")[-2000:])
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def peer_figures(texts: Path, given: argparse.Namespace) -> dict[str, Any]:
    """Return the signature and whole-run speed of peers beside ours on the same rows."""
    file = first_rows(texts, given.peer_rows)
    ours = [streamed(file) for _ in range(given.repeats)]
    signing = given.peer_rows / statistics.median(run["keys_cpu_s"] for run in ours)
    whole = given.peer_rows / statistics.median(run["cpu_s"] for run in ours)
    found: dict[str, Any] = {
        "rows": given.peer_rows,
        "sightline": {"signatures_per_s": round(signing), "all_in_per_s": round(whole)},
    }
    for name in SIGNING_PEERS:
        runs = list(islice(peer_runs(given, name, file), given.repeats))
        if isinstance(runs[0], PeerError):
            found[name] = {"not_run": runs[0].reason}
            continue
        signed = given.peer_rows / statistics.median(run["signatures_s"] for run in runs)
        everything = given.peer_rows / statistics.median(run["cpu_s"] for run in runs)
        found[name] = {
            "signatures_per_s": round(signed),
            "all_in_per_s": round(everything),
            "ours_over_it": round(signing / signed, 1),
            "ours_over_it_all_in": round(whole / everything, 1),
            "settings": runs[0]["settings"],
        }
    return found


def peer_runs(given: argparse.Namespace, name: str, file: Path) -> Iterator[Any]:
    """Yield one answer after the other."""
    while True:
        yield run_peer(given.peers, name, file, given.limit_s)


def missed(found: dict[str, Any]) -> list[str]:
    """Return the goals that were measured and missed."""
    figures: dict[str, float] = {}
    if "text" in found:
        largest = found["text"]["sizes"][-1]
        figures = {name: largest[name] for name in list(GOALS)[:3]}
        figures["growth_exponent"] = found["text"]["growth_exponent"]
    if "ours_over_it" in found.get("peers", {}).get("datasketch", {}):
        figures["over_datasketch"] = found["peers"]["datasketch"]["ours_over_it"]
    if "incremental" in found:
        figures["incremental_share"] = found["incremental"]["last"]["share_of_full_run"]
    if "hashes" in found:
        figures["hash_join_s"] = found["hashes"]["seconds"]
        figures["hash_join_recall"] = found["hashes"]["recall"]
    at_least = ("rows_per_s_core", "over_datasketch", "recall")
    return [
        f"{name}: {figure}, goal {GOALS[name]}"
        for name, figure in figures.items()
        if (figure < GOALS[name] if name.endswith(at_least) else figure > GOALS[name])
    ]


def arguments() -> argparse.Namespace:
    """Return the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--peers", type=Path, help="Folder that install.sh filled.")
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--peer-rows", type=int, default=5000)
    parser.add_argument("--corpus", choices=sorted(CORPORA), default="templated")
    parser.add_argument("--only", nargs="*", choices=STAGES, default=list(STAGES))
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--limit-s", type=float, default=600.0, help="Per run of a peer.")
    return parser.parse_args()


if __name__ == "__main__":
    main()
