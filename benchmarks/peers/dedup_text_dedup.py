"""text-dedup: its `python -m text_dedup.minhash` command on a Parquet file."""

import argparse
import pickle
import subprocess
import sys
import tempfile
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from dedup_job import Answer, main


def deduplicate(texts: list[str], given: argparse.Namespace) -> Answer:
    """Return one kept row per component; its debug dump tells the components."""
    with tempfile.TemporaryDirectory() as name:
        source, out = Path(name) / "texts.parquet", Path(name) / "out"
        pq.write_table(pa.table({"text": texts}), source)
        command = [sys.executable, "-m", "text_dedup.minhash", "--path", "parquet"]
        command += ["--data_files", str(source), "--split", "train", "--column", "text"]
        command += ["--cache_dir", f"{name}/cache", "--output", str(out), "--num_proc", "1"]
        command += ["--b", str(given.bands), "--r", str(given.rows_per_band), "--debug"]
        command += ["--num_perm", str(given.bands * given.rows_per_band)]
        command += ["--threshold", str(given.tau), "--min_length", "1"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise SystemExit(done.stderr[-2000:])
        joined = pickle.loads((out / "uf.pkl").read_bytes())  # noqa: S301 - its own, just written
    kept_by: list[int | None] = [joined.find(row) for row in range(len(texts))]
    settings = f"minhash --b {given.bands} --r {given.rows_per_band} --ngram 5"
    return Answer([k == row for row, k in enumerate(kept_by)], kept_by, settings)


main(deduplicate)
