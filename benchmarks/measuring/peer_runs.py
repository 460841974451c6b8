"""Runs deduplication peers, each in its own environment, on a Parquet file of texts."""

import json
import os
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from benchmarks.measuring.text_dedup_runs import PARAMS

ROOT: Final = Path(__file__).resolve().parents[2]
RUNNERS: Final = ROOT / "benchmarks" / "peers"
PEERS: Final = ("datasketch", "rensa", "daft", "datatrove", "text_dedup", "semhash")
NOT_RUN: Final = {
    "NeMo Curator": "its fuzzy and semantic deduplication need a CUDA GPU (cudf, cuml)",
    "Data-Juicer": "its Ray union-find is joined unverified LSH, the scheme of datasketch here",
}


@dataclass(frozen=True, slots=True)
class PeerError:
    """Why a peer gave no answer."""

    reason: str


def run_peer(
    peers: Path | None, name: str, texts: Path, limit_s: float
) -> dict[str, Any] | PeerError:
    """Return the answer of `dedup_<name>.py`, or why there is none.

    Args:
        peers: folder that install.sh filled; null if there is none.
        name: one of `PEERS`.
        texts: Parquet file with a column `text`.
        limit_s: a peer that takes longer is ended.
    """
    python = peers / f"dedup_{name}" / "bin" / "python" if peers else None
    if python is None or not python.exists():
        return PeerError("not installed: sh benchmarks/peers/install.sh FOLDER")
    with tempfile.TemporaryDirectory(prefix="sightline-bench-") as folder:
        out = Path(folder) / "out.json"
        command = [str(python), str(RUNNERS / f"dedup_{name}.py"), str(texts), str(out)]
        command += ["--bands", str(PARAMS.bands), "--rows-per-band", str(PARAMS.rows)]
        threads = dict.fromkeys(("RAYON_NUM_THREADS", "OMP_NUM_THREADS", "DAFT_NUM_THREADS"), "1")
        env = os.environ | threads | {"PYTHONPATH": f"{RUNNERS}:{ROOT}"}
        try:
            done = subprocess.run(
                command, cwd=folder, env=env, capture_output=True, timeout=limit_s, check=False
            )
        except subprocess.TimeoutExpired:
            return PeerError(f"took longer than {limit_s:.0f} s")
        if done.returncode:
            lines = done.stderr.decode(errors="replace").strip().splitlines()
            return PeerError(lines[-1][:300] if lines else f"exit status {done.returncode}")
        answer: dict[str, Any] = json.loads(out.read_text())
        return answer
