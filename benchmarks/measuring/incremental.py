"""New rows into settled ones, against settling all of them again; both must decide the same."""

import statistics
import time
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from benchmarks.measuring.streamed_dedup import TAU
from benchmarks.measuring.text_dedup_runs import PARAMS
from tasks.dedup.settle.extend import Added, Changes, extend
from tasks.dedup.settle.order import priority_order
from tasks.dedup.settle.resolve import settle
from tasks.dedup.settle.similarity import Jaccard
from tasks.dedup.settle.state import Settlement, empty
from tasks.text_keys.keys import text_keys


def measured(texts: Path, old_rows: int, new_rows: int, repeats: int) -> dict[str, Any]:
    """Return CPU seconds of a full run and of adding `new_rows` to `old_rows`."""
    column = pq.read_table(texts, columns=["text"])["text"].slice(0, old_rows + new_rows)
    old, new = column.slice(0, old_rows), column.slice(old_rows)
    keys, all_keys_s = timed(lambda: text_keys(column, PARAMS))
    _, new_keys_s = timed(lambda: text_keys(new, PARAMS))
    compared = Jaccard(keys.offsets, keys.shingles, keys.signature, TAU)
    ids = item_ids(len(column))
    priority = np.zeros(len(column), dtype=np.int64)

    def full() -> pa.Array:
        order = priority_order(priority, ids)
        found = settle(keys.bands, keys.n_tokens > 0, order, compared)
        return pa.array(found.kept_by, mask=found.is_kept)

    def added(state: Settlement, first: int, last: int) -> Settlement:
        rows = slice(first, last)
        change = Added(ids[rows], priority[rows], keys.bands[rows], keys.n_tokens[rows] > 0)
        return extend(state, Changes(added=change), lambda found: compared.take(places(found)))

    base = added(empty(compared.rule), 0, len(old))
    full_times, times = [], []
    for _ in range(repeats):
        everything, seconds = timed(full)
        full_times.append(seconds)
        grown, seconds = timed(lambda: added(base, len(old), len(column)))
        times.append(seconds)
    full_s, extend_s = statistics.median(full_times), statistics.median(times)
    kept = grown.decisions().sort_by("item")["kept"]
    return {
        "old_rows": len(old),
        "new_rows": len(new),
        "equal_to_full": kept.combine_chunks().equals(ids.take(everything)),
        "full_settle_cpu_s": round(full_s, 3),
        "extend_cpu_s": round(extend_s, 3),
        "settle_share": round(extend_s / full_s, 4),
        "share_of_full_run": round((new_keys_s + extend_s) / (all_keys_s + full_s), 4),
    }


def timed(work: Any) -> tuple[Any, float]:
    """Return the result and the CPU seconds of `work`."""
    began = time.process_time()
    result = work()
    return result, time.process_time() - began


def item_ids(count: int) -> pa.Array:
    """Return ids whose order is that of the rows."""
    return pc.utf8_lpad(pa.array(np.arange(count)).cast(pa.large_string()), 9, "0")


def places(ids: pa.Array) -> "np.ndarray[Any, np.dtype[np.int64]]":
    """Return the rows that ids stand for."""
    found: np.ndarray[Any, np.dtype[np.int64]] = (
        pc.utf8_ltrim(ids, "0").cast(pa.large_string()).to_numpy(zero_copy_only=False)
    )
    return np.asarray([int(text or 0) for text in found], dtype=np.int64)
