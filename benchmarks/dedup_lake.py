"""Settling a lake of keyed chains in full, and again after a tenth was appended.

    python benchmarks/dedup_lake.py [--rows 200000] [--parts 20]

Templated rationales, eight to a question on a picture and a quarter of them near-duplicates, are
keyed into parts of a local lake; then everything is settled, a tenth is appended, a share of it
about old questions, and settled with the state of the first time and, in another run, without it.
Each settling is a process of its own: wall seconds, CPU seconds and peak memory of reading keys,
settling, and writing the state.  Filling the lake, ranking chains and writing decisions do not
count.  Prints one JSON object; status 1 if the rows differ.
"""

import argparse
import hashlib
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from itertools import count, islice
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.dedup_corpora.templated import templated
from benchmarks.measuring.machine import machine
from infra.lake.lake import Lake
from sightline.provenance import fingerprint_of
from sightline.schemas import TEXT_KEYS
from tasks.dedup.key_rows import key_rows
from tasks.dedup.near import near_duplicates, settled_texts
from tasks.dedup.params import ChainDedupParams
from tasks.dedup.rules import chain_rule
from tasks.dedup.settle.memory import NoMemory
from tasks.dedup.stored_memory import StoredMemory
from tasks.dedup.stored_texts import StoredTexts
from tasks.dedup.texts import TEXTS

ROOT: Final = Path(__file__).resolve().parents[1]
RULE: Final = chain_rule(ChainDedupParams())
CHAINS_OF_A_QUESTION: Final = 8


def main() -> None:
    """Fill a lake, settle it three times, and print the figures."""
    given = arguments()
    if given.settle:
        print(json.dumps(settled(Lake(given.settle), remembers=not given.anew)))
        return
    with tempfile.TemporaryDirectory(prefix="sightline-bench-") as folder:
        found = measured(folder, given)
    print(json.dumps(found, indent=2))
    sys.exit(not found["rows_equal"])


def measured(folder: str, given: argparse.Namespace) -> dict[str, Any]:
    """Return the figures of a lake in `folder`."""
    lake, per_part = Lake(folder), given.rows // given.parts
    more = max(given.parts // 10, 1)
    parts = chain_parts(per_part, given.rows, given.about_old)
    for number, rows in enumerate(islice(parts, given.parts)):
        commit(lake, f"part-{number:04d}", rows)
    first = in_process(folder)
    for number, rows in enumerate(islice(parts, more)):
        commit(lake, f"part-{given.parts + number:04d}", rows)
    again = in_process(folder)
    unchanged = in_process(folder)
    anew = in_process(folder, "--anew")
    return {
        "machine": machine("numba", "numpy", "pyarrow"),
        "rows": given.rows,
        "rows_appended": more * per_part,
        "share_about_old_questions": given.about_old,
        "first": first,
        "appended": again,
        "unchanged": unchanged,
        "appended_settled_anew": anew,
        "wall_share_of_anew": round(again["wall_s"] / anew["wall_s"], 3),
        "cpu_share_of_anew": round(again["cpu_s"] / anew["cpu_s"], 3),
        "rows_equal": again["rows_sha"] == anew["rows_sha"] == unchanged["rows_sha"],
    }


def chain_parts(rows: int, old_rows: int, about_old: float) -> Iterator[pa.Table]:
    """Yield keys of `rows` chains each; from chain `old_rows` on, a share asks what old ones do.

    A quarter of the chains repeat the first one about their question, with a few words more.
    """
    texts, firsts = templated(1 << 40), list[str]()
    numbers = count()
    while True:
        listed = []
        for number in islice(numbers, rows):
            is_about_old = number >= old_rows and number // 8 % 10 < 10 * about_old
            subject = (number * 7919 % old_rows if is_about_old else number) // CHAINS_OF_A_QUESTION
            while subject >= len(firsts):
                firsts.append(next(texts))
            text = f"{firsts[subject]} That is all." if number % 4 == 1 else next(texts)
            listed.append(
                {
                    "item_id": f"chain_{hashlib.sha256(b'%d' % number).hexdigest()[:32]}",
                    "text": text,
                    "group_key": f"what is to be seen in picture {subject}",
                    "image_ids": [hashlib.sha256(b"%d" % subject).hexdigest()],
                }
            )
        yield key_rows(pa.Table.from_pylist(listed, TEXTS), RULE.kind, RULE.keys)


def commit(lake: Lake, part: str, keys: pa.Table) -> None:
    """Commit keys as one part."""
    mark = fingerprint_of([part])
    with lake.stage(TEXT_KEYS, part, mark) as writer:
        writer.write(TEXT_KEYS.with_provenance(keys, part=part, run_id="run", fingerprint=mark))
        staged = writer.finish()
    lake.publish(TEXT_KEYS, [staged])


def in_process(folder: str, *more: str) -> dict[str, Any]:
    """Return what `settled` says in a process of its own."""
    command = [sys.executable, str(Path(__file__).resolve()), "--settle", folder, *more]
    env = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, check=False)
    if done.returncode:
        raise SystemExit(done.stderr.decode(errors="replace")[-2000:])
    answer: dict[str, Any] = json.loads(done.stdout)
    print(done.stdout.decode().strip(), file=sys.stderr, flush=True)
    return answer


def settled(lake: Lake, *, remembers: bool) -> dict[str, Any]:
    """Settle all chains of the lake as the task does, every chain of one rank."""
    compile_kernels()
    clock, cpu = time.perf_counter(), time.process_time()
    stored = StoredTexts(lake, [part.part for part in lake.parts(TEXT_KEYS)])
    texts = stored.meeting({})
    read_s = time.perf_counter() - clock
    memory = StoredMemory(lake.objects, RULE.kind, RULE.algorithm) if remembers else NoMemory()
    priority = np.zeros(len(texts), np.int64)
    found = settled_texts(texts, priority, stored.compared, RULE, memory)
    rows = near_duplicates(found, texts, RULE)
    wall, used = time.perf_counter() - clock, time.process_time() - cpu
    return {
        "texts": len(texts),
        "wall_s": round(wall, 2),
        "cpu_s": round(used, 2),
        "reading_what_meets_s": round(read_s, 2),
        "peak_rss_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
        "state_mb": round(sum(o.size for o in lake.objects.list("dedup/settled")) / 2**20),
        "rows_out": rows.num_rows,
        "rows_sha": hashlib.sha256(repr(rows.to_pylist()).encode()).hexdigest()[:16],
    }


def compile_kernels() -> None:
    """Settle a small lake, twice, so that no compilation is measured."""
    with tempfile.TemporaryDirectory(prefix="sightline-bench-") as folder:
        lake, parts = Lake(folder), chain_parts(400, 400, 0.5)
        for number in range(2):
            commit(lake, f"p{number}", next(parts))
            stored = StoredTexts(lake, [part.part for part in lake.parts(TEXT_KEYS)])
            texts = stored.meeting({})
            memory = StoredMemory(lake.objects, RULE.kind, RULE.algorithm)
            priority = np.zeros(len(texts), np.int64)
            settled_texts(texts, priority, stored.compared, RULE, memory)


def arguments() -> argparse.Namespace:
    """Return the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--parts", type=int, default=20)
    parser.add_argument("--about-old", type=float, default=0.5, help="Share of appended chains.")
    parser.add_argument("--settle", help="Only settle the lake in this folder.")
    parser.add_argument("--anew", action="store_true", help="Without the state of the last time.")
    return parser.parse_args()


if __name__ == "__main__":
    main()
