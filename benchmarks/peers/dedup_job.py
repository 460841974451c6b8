"""What a deduplication peer is given and gives back; runs in the peer's own environment.

    python dedup_<peer>.py TEXTS.parquet OUT.json [--bands 16 --rows-per-band 7]

The answer names for every row the row that stays in its place, itself if it stays, null if the
peer does not say.
"""

import argparse
import json
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq


@dataclass
class Answer:
    """What a peer decided.

    Attributes:
        kept: for each row whether it stays.
        kept_by: for each row the row that stays for it; empty if the peer does not say.
        settings: what it ran with.
        signatures_s: CPU seconds from texts to signatures, null if they are not a stage of its own.
    """

    kept: list[bool]
    kept_by: list[int | None] = field(default_factory=list)
    settings: str = ""
    signatures_s: float | None = None


def main(deduplicate: Callable[[list[str], argparse.Namespace], Answer]) -> None:
    """Run a peer on the command line's texts and write its answer."""
    parser = argparse.ArgumentParser()
    parser.add_argument("texts", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--bands", type=int, default=14)
    parser.add_argument("--rows-per-band", type=int, default=8)
    parser.add_argument("--tau", type=float, default=0.8)
    given = parser.parse_args()
    texts = pq.read_table(given.texts, columns=["text"])["text"].to_pylist()
    began, cpu = time.perf_counter(), time.process_time()
    answer = deduplicate(texts, given)
    times = {"seconds": time.perf_counter() - began, "cpu_s": time.process_time() - cpu}
    given.out.write_text(json.dumps(vars(answer) | times))


def components(count: int, buckets: Iterable[Iterable[int]], **more: Any) -> Answer:
    """Return the answer of those who join every bucket and keep the first row of a component."""
    parent = list(range(count))

    def find(row: int) -> int:
        while parent[row] != row:
            parent[row] = parent[parent[row]]
            row = parent[row]
        return row

    for bucket in buckets:
        roots = {find(row) for row in bucket}
        first = min(roots, default=0)
        for root in roots:
            parent[root] = first
    kept_by = [find(row) for row in range(count)]
    return Answer([k == row for row, k in enumerate(kept_by)], list(kept_by), **more)
