"""A self-join of 256-bit hashes with planted neighbours, and faiss on the same hashes."""

import json
import os
import statistics
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from tasks.dedup.settle.hamming import MAX_BITS, hamming_join

RUNNER: Final = Path(__file__).resolve().parents[1] / "peers" / "hamming_faiss.py"
SHARE_PLANTED: Final = 0.05
FLAT_QUERIES: Final = 2000


def planted(rows: int, seed: int = 1) -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.int64]]:
    """Return hashes uint64[rows, 4] and the planted pairs int64[pairs, 2].

    Each pair differs in 0..`MAX_BITS` bits, each number equally often.
    """
    rng = np.random.default_rng(seed)
    words = rng.integers(0, 1 << 64, (rows, 4), dtype=np.uint64, endpoint=False)
    count = int(SHARE_PLANTED * rows)
    chosen = rng.choice(rows, 2 * count, replace=False).reshape(count, 2)
    for number, (one, other) in enumerate(chosen.tolist()):
        flips = rng.choice(256, number % (MAX_BITS + 1), replace=False)
        words[other] = words[one]
        for bit in flips.tolist():
            words[other, bit // 64] ^= np.uint64(1 << (bit % 64))
    return words, np.sort(chosen, axis=1)


def measured(rows: int, repeats: int, peers: Path | None) -> dict[str, Any]:
    """Return seconds and recall of the join over `rows` hashes."""
    words, pairs = planted(rows)
    hamming_join(words[:1000], MAX_BITS)  # compiles
    times = []
    for _ in range(repeats):
        began = time.perf_counter()
        found = hamming_join(words, MAX_BITS)
        times.append(time.perf_counter() - began)
    wanted = pairs[:, 0] * rows + pairs[:, 1]
    recall = np.isin(wanted, found.one * rows + found.other).mean()
    return {
        "rows": rows,
        "max_bits": MAX_BITS,
        "planted_pairs": len(pairs),
        "pairs_found": len(found.one),
        "beyond_max_bits": int((found.bits > MAX_BITS).sum()),
        "seconds": round(statistics.median(times), 2),
        "recall": round(float(recall), 5),
        "faiss": faiss_on(words, pairs, peers),
    }


def faiss_on(
    words: npt.NDArray[np.uint64], pairs: npt.NDArray[np.int64], peers: Path | None
) -> dict[str, Any]:
    """Return what faiss needs for the same, or why it did not run."""
    python = peers / "dedup_faiss" / "bin" / "python" if peers else None
    if python is None or not python.exists():
        return {"not_run": "not installed: sh benchmarks/peers/install.sh FOLDER"}
    with tempfile.TemporaryDirectory(prefix="sightline-bench-") as folder:
        file = Path(folder) / "hashes.npz"
        np.savez(file, words=words, pairs=pairs)
        command = [str(python), str(RUNNER), str(file), str(MAX_BITS), str(FLAT_QUERIES)]
        env = os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
        done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    if done.returncode:
        return {"not_run": done.stderr.strip()[-300:]}
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer
