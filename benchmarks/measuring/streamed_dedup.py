"""All of text deduplication in one process of bounded memory: keys per part, then settling.

    python -m benchmarks.measuring.streamed_dedup TEXTS.parquet   (prints one JSON object)

Parts of keys lie in Arrow files, as a lake would keep them; bands and signatures are held for all
rows, shingles only for rows that share a band bucket with another.  Compilation happens before the
clock starts; reading texts, writing and reading parts count.
"""

import argparse
import json
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.measuring.text_dedup_runs import PARAMS
from tasks.dedup.settle.buckets import Buckets, buckets
from tasks.dedup.settle.kernels import frozen
from tasks.dedup.settle.resolve import settle_buckets
from tasks.dedup.settle.sets import gathered
from tasks.dedup.settle.similarity import Jaccard
from tasks.text_keys.keys import TextKeys, text_keys

PART_ROWS: Final = 10_000
TAU: Final = 0.8
WARM_UP: Final = ["the red cup is on the left side of the table " * 3, "naïve ≥ 3 m", ""] * 50


def deduplicate(texts: Path, parts: Path) -> tuple[npt.NDArray[np.bool_], float]:
    """Return which rows stay, and the CPU seconds that keys took.

    Args:
        texts: Parquet file with a column `text`.
        parts: folder for the keys of parts.
    """
    bands, signatures, n_tokens = [], [], []
    keys_s = 0.0
    for number, column in enumerate(text_parts(texts)):
        began = time.process_time()
        keys = text_keys(column, PARAMS)
        keys_s += time.process_time() - began
        write_shingles(parts / f"{number:05d}.arrow", keys)
        bands.append(keys.bands)
        signatures.append(keys.signature)
        n_tokens.append(keys.n_tokens)
    all_bands, has_bands = np.concatenate(bands), np.concatenate(n_tokens) > 0
    del bands, n_tokens
    found = buckets(all_bands, has_bands)
    rows = np.flatnonzero(found.shares())
    offsets, shingles = read_shingles(sorted(parts.glob("*.arrow")), rows)
    signature = np.concatenate([s[part_rows(rows, n)] for n, s in enumerate(signatures)])
    del signatures
    similarity = Jaccard(offsets, shingles, signature, TAU)
    shared = Buckets(found.numbers[rows], found.sizes)
    del all_bands, found
    settled = settle_buckets(shared, np.arange(len(rows)), similarity)
    is_kept = np.ones(len(has_bands), dtype=bool)
    is_kept[rows] = settled.is_kept
    return is_kept, keys_s


def text_parts(texts: Path) -> Iterator[pa.Array]:
    """Yield texts, `PART_ROWS` at a time."""
    for batch in pq.ParquetFile(texts).iter_batches(PART_ROWS, columns=["text"]):
        yield batch["text"]


def part_rows(rows: npt.NDArray[np.int64], number: int) -> npt.NDArray[np.int64]:
    """Return those of `rows` that lie in part `number`, counted from its first."""
    low, high = np.searchsorted(rows, [number * PART_ROWS, (number + 1) * PART_ROWS])
    found: npt.NDArray[np.int64] = rows[low:high] - number * PART_ROWS
    return found


def write_shingles(path: Path, keys: TextKeys) -> None:
    """Write the shingles of a part."""
    lists = pa.LargeListArray.from_arrays(keys.offsets, keys.shingles)
    table = pa.table({"shingles": lists})
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table)


def read_shingles(
    files: list[Path], rows: npt.NDArray[np.int64]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.uint64]]:
    """Return offsets and shingles of `rows`, which ascend."""
    own = [part_rows(rows, number) for number in range(len(files))]
    lengths = [np.zeros(1, np.int64)]
    for file, chosen in zip(files, own, strict=True):
        lengths.append(np.diff(read_part(file)[0])[chosen])
    offsets = np.cumsum(np.concatenate(lengths))
    shingles = np.empty(offsets[-1], dtype=np.uint64)
    place = 0
    for file, chosen in zip(files, own, strict=True):
        first, values = read_part(file)
        new = offsets[place : place + len(chosen) + 1]
        part = gathered(first, values, frozen(chosen, np.int64), frozen(new - new[0], np.int64))
        shingles[new[0] : new[-1]] = part
        place += len(chosen)
    return offsets, shingles


def read_part(file: Path) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.uint64]]:
    """Return offsets and shingles of a part, read-only."""
    with pa.OSFile(str(file)) as source:
        lists = pa.ipc.open_file(source).read_all()["shingles"].combine_chunks()
    flat = lists.values.to_numpy()
    return frozen(lists.offsets.to_numpy(), np.int64), frozen(flat, np.uint64)


def measured(texts: Path) -> dict[str, Any]:
    """Return times, memory and the outcome of one run over `texts`."""
    with tempfile.TemporaryDirectory(prefix="sightline-bench-") as folder:
        few = Path(folder) / "few.parquet"
        pq.write_table(pa.table({"text": pa.array(WARM_UP, pa.large_string())}), few)
        deduplicate(few, Path(folder))
    before_mb = peak_mb()
    with tempfile.TemporaryDirectory(prefix="sightline-bench-") as folder:
        began, cpu = time.perf_counter(), time.process_time()
        is_kept, keys_s = deduplicate(texts, Path(folder))
        seconds, cpu_s = time.perf_counter() - began, time.process_time() - cpu
    return {
        "rows": len(is_kept),
        "kept": int(is_kept.sum()),
        "seconds": round(seconds, 3),
        "cpu_s": round(cpu_s, 3),
        "keys_cpu_s": round(keys_s, 3),
        "peak_rss_mb": peak_mb(),
        "rss_before_mb": before_mb,
    }


def peak_mb() -> int:
    """Return the largest resident memory of this program so far.

    `getrusage` would also count what the process held before it became this program.
    """
    status = Path("/proc/self/status").read_text()
    line = next(line for line in status.splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) // 1024


def main() -> None:
    """Measure the file of the command line on one core."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("texts", type=Path)
    pa.set_cpu_count(1)
    pa.set_io_thread_count(1)
    print(json.dumps(measured(parser.parse_args().texts)))


if __name__ == "__main__":
    main()
