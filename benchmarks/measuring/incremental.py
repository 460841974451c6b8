"""New rows into settled ones, against settling all of them again; both must decide the same."""

import statistics
import time
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from benchmarks.measuring.streamed_dedup import TAU
from benchmarks.measuring.text_dedup_runs import PARAMS
from tasks.dedup.settle.memory import Remembered, nothing_remembered, settled_now
from tasks.dedup.settle.neighbourhood import Items
from tasks.dedup.settle.order import priority_order
from tasks.dedup.settle.resolve import settle
from tasks.dedup.settle.similarity import Jaccard
from tasks.text_keys.keys import TextKeys, text_keys

Ints = npt.NDArray[np.int64]


def measured(texts: Path, old_rows: int, new_rows: int, repeats: int) -> dict[str, Any]:
    """Return CPU seconds of a full run and of adding `new_rows` to `old_rows`.

    New rows come last in the order of what is kept, as behind released ones, or anywhere in it, as
    ids that are hashes do.
    """
    column = pq.read_table(texts, columns=["text"])["text"].slice(0, old_rows + new_rows)
    keys, all_keys_s = timed(lambda: text_keys(column, PARAMS))
    _, new_keys_s = timed(lambda: text_keys(column.slice(old_rows), PARAMS))
    found: dict[str, Any] = {"old_rows": old_rows, "new_rows": len(column) - old_rows}
    anywhere = np.random.default_rng(1).permutation(len(column))
    for name, rank in (("last", np.arange(len(column))), ("anywhere", anywhere)):
        row = added(keys, rank, old_rows, repeats)
        share = (new_keys_s + row["extend_cpu_s"]) / (all_keys_s + row["full_settle_cpu_s"])
        found[name] = row | {"share_of_full_run": round(share, 4)}
    return found


def added(keys: TextKeys, rank: Ints, old_rows: int, repeats: int) -> dict[str, Any]:
    """Return what settling all rows costs, and settling those after the first `old_rows`."""
    compared = Jaccard(keys.offsets, keys.shingles, keys.signature, TAU)
    ids = item_ids(rank)

    def full() -> pa.Array:
        order = priority_order(np.zeros(len(rank), np.int64), ids)
        return settle(keys.bands, keys.n_tokens > 0, order, compared).kept_by

    def now(rows: int) -> Items:
        digests = np.arange(rows, dtype=np.uint64)
        return Items(
            ids[:rows], np.zeros(rows, np.int64), keys.bands[:rows], keys.n_tokens[:rows] > 0,
            digests,
        )  # fmt: skip

    row_of = np.argsort(rank)
    base = settled_now(
        nothing_remembered(compared.rule), now(old_rows), lambda i: compared.take(row_of[number(i)])
    )
    full_times, times, read = [], [], 0

    def reading(found: pa.Array) -> Jaccard:
        nonlocal read
        read += len(found)
        return compared.take(row_of[number(found)])

    grown: Remembered
    for _ in range(repeats):
        everything, seconds = timed(full)
        full_times.append(seconds)
        read = 0
        grown, seconds = timed(lambda: settled_now(base, now(len(rank)), reading))
        times.append(seconds)
    return {
        "equal_to_full": bool((grown.settled.kept_by == everything).all()),
        "texts_read": read,
        "full_settle_cpu_s": round(statistics.median(full_times), 3),
        "extend_cpu_s": round(statistics.median(times), 3),
    }


def timed(work: Any) -> tuple[Any, float]:
    """Return the result and the CPU seconds of `work`."""
    began = time.process_time()
    result = work()
    return result, time.process_time() - began


def item_ids(rank: Ints) -> pa.Array:
    """Return ids whose order is that of the ranks."""
    return pc.utf8_lpad(pa.array(rank).cast(pa.large_string()), 9, "0")


def number(ids: pa.Array) -> Ints:
    """Return the ranks that ids stand for."""
    return ids.cast(pa.int64()).to_numpy()
