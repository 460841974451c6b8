"""How fast texts are compared with a benchmark, and how many edited questions are still found.

    python benchmarks/decontamination.py [--docs 100000] [--items 10000] [--data FOLDER]

Speed: rationales of about 130 words (templated) and 100 words (natural) against a benchmark of
natural texts that they share nothing with, by runs of 8 words as the default rules have it, and by
8 and 13 together; beside them templated texts against templated ones, of which nearly all match
many items.  CPU seconds of one thread, cutting into words included, best of `--repeats`.  Recall:
items with so many words replaced at random places, or with every number changed, on the natural
corpus and real questions of at least 30 words where `--data` has them.  `matched_by_8` of a clean
corpus counts false positives.  One JSON object; a missed goal ends with status 1.
"""

import argparse
import json
import re
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from random import Random
from typing import Any, Final

import pyarrow as pa

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.dedup_corpora.natural import natural
from benchmarks.dedup_corpora.templated import templated
from benchmarks.measuring.machine import machine
from tasks.decontaminate.benchmark import ITEMS, Benchmark
from tasks.decontaminate.rules import RuleBook
from tasks.decontaminate.texts import RunIndex, Units, scan

CORPORA: Final = {"templated": templated, "natural": natural}
LENGTHS: Final = (8, 13)
EDITS: Final = (1, 2, 5, 10)
BLOCK_ROWS: Final = 10_000
LEAST_WORDS: Final = 30
GOAL_DOCS_PER_S: Final = 150_000
REAL: Final = ("mathvision", "tabmwp", "scienceqa", "opencqa_charts", "algopuzzlevqa")
NUMBER: Final = re.compile(r"\d+")


def main() -> None:
    """Measure speed and recall and print them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--docs", type=int, default=100_000)
    parser.add_argument("--items", type=int, default=10_000, help="Of the benchmark.")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--data", type=Path, help="Folder of real data.")
    given = parser.parse_args()
    items = {name: list(make(given.items, seed=2)) for name, make in CORPORA.items()}
    clean = {
        f"{name}, runs of {' and '.join(map(str, lengths))}": speed(
            name, indexes_of(items["natural"], lengths), given.docs, given.repeats
        )
        for name in CORPORA
        for lengths in ((8,), LENGTHS)
    }
    all_match = indexes_of(items["templated"], (8,))
    found: dict[str, Any] = {
        "machine": machine("numba", "numpy", "pyarrow"),
        "goal_docs_per_s_core": GOAL_DOCS_PER_S,
        "benchmark_items": given.items,
        "clean": clean,
        "nearly_all_match": speed("templated", all_match, given.docs // 10, 1),
        "recall": {"natural": recall(list(natural(2_000, seed=9)))},
    }
    if given.data is not None:
        found["recall"]["real"] = recall(list(real_questions(given.data)))
    print(json.dumps(found, indent=2))
    by_default = [s["docs_per_s_core"] for name, s in clean.items() if name.endswith("of 8")]
    if min(by_default) < GOAL_DOCS_PER_S:
        sys.exit(1)


def speed(corpus: str, indexes: dict[int, RunIndex], docs: int, repeats: int) -> dict[str, Any]:
    """Return documents per CPU second, and how many of them matched."""
    texts = pa.array(CORPORA[corpus](docs, seed=1), pa.large_string())
    scan(indexes, texts.slice(0, 1000))
    best, hits = float("inf"), 0
    for _ in range(repeats):
        began, hits = time.thread_time(), 0
        for first in range(0, docs, BLOCK_ROWS):
            hits += len(scan(indexes, texts.slice(first, BLOCK_ROWS))[8].hits)
        best = min(best, time.thread_time() - began)
    return {
        "docs": docs,
        "mean_bytes": round(texts.nbytes / docs),
        "docs_per_s_core": round(docs / best),
        "matched_by_8": hits,
        "templates_of_8": int(indexes[8].is_template.sum()),
    }


def recall(items: Sequence[str]) -> dict[str, Any]:
    """Return the share of changed items that each length still finds, by kind of change."""
    indexes = indexes_of(items)
    rng = Random(26)  # noqa: S311 - edits of a corpus
    changed = {f"{n} words": [replaced(text, n, rng) for text in items] for n in EDITS}
    numbered = [text for text in items if NUMBER.search(text)]
    changed["numbers"] = [NUMBER.sub(lambda _: str(rng.randrange(10**6)), t) for t in numbered]
    table: dict[str, Any] = {"items": len(items), "items_with_numbers": len(numbered)}
    for name, texts in changed.items():
        scanned = scan(indexes, pa.array(texts, pa.large_string()))
        table[name] = {
            f"ngram{n}": round(len(scanned[n].hits) / max(1, len(texts)), 3) for n in LENGTHS
        }
    return table


def indexes_of(texts: Sequence[str], lengths: Sequence[int] = LENGTHS) -> dict[int, RunIndex]:
    """Return the indexes of a benchmark that asks these questions."""
    empty: dict[str, Any] = {
        name: []
        for name in ("choices", "answers", "texts", "pixels", "hashes", "unread", "problems")
    }
    rows = [empty | {"name": str(n), "question": text} for n, text in enumerate(texts)]
    units = Units.of(Benchmark.of(pa.Table.from_pylist(rows, schema=ITEMS)))
    return {n: RunIndex.of(units, n, RuleBook(), len(rows)) for n in lengths}


def replaced(text: str, n: int, rng: Random) -> str:
    """Return `text` with `n` words replaced at random places."""
    words = text.split()
    for place in rng.sample(range(len(words)), min(n, len(words))):
        words[place] = f"edited{rng.randrange(10**6)}"
    return " ".join(words)


def real_questions(data: Path) -> Iterator[str]:
    """Yield the longer questions of public datasets."""
    for name in REAL:
        for line in (data / name / "samples.jsonl").read_text(encoding="utf-8").splitlines():
            question = json.loads(line)["question"] or ""
            if len(question.split()) >= LEAST_WORDS:
                yield question


if __name__ == "__main__":
    main()
