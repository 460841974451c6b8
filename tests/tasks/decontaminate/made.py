"""Benchmarks and samples made from plain values."""

import hashlib
import random
from collections.abc import Sequence
from typing import Any

import pyarrow as pa

from tasks.decontaminate.benchmark import ITEMS, Benchmark
from tasks.decontaminate.compare import Comparison
from tasks.decontaminate.picture_rows import OurImages
from tasks.decontaminate.rules import rule_book

CITY = (
    "The diagram shows a plan of a town with various bus stops and four bus routes "
    "and asks how long the shortest route between two stops is"
)


def benchmark(*items: dict[str, Any]) -> Benchmark:
    """Return a benchmark; an item may give question, choices, answers, texts and (pixels, hash)."""
    empty: dict[str, Any] = {"question": None} | {
        name: []
        for name in ("choices", "answers", "texts", "pixels", "hashes", "unread", "problems")
    }
    rows = [empty | {"name": f"q{n}"} | item for n, item in enumerate(items)]
    return Benchmark.of(pa.Table.from_pylist(rows, schema=ITEMS))


def comparison(*items: dict[str, Any], rules: Sequence[str] = (), **more: Any) -> Comparison:
    return Comparison("b", benchmark(*items), rule_book(rules), **more)


def samples(*rows: dict[str, Any]) -> pa.Table:
    plain = {"question": None, "choices": None, "answer": None, "image_ids": []}
    return pa.table(
        {
            "sample_id": [row.get("sample_id", f"s{n}") for n, row in enumerate(rows)],
            "question": pa.array([(plain | row)["question"] for row in rows], pa.string()),
            "choices": pa.array([(plain | row)["choices"] for row in rows], pa.list_(pa.string())),
            "answer": pa.array([(plain | row)["answer"] for row in rows], pa.string()),
            "image_ids": pa.array(
                [(plain | row)["image_ids"] for row in rows], pa.list_(pa.string())
            ),
        }
    )


def images(**hashes: bytes) -> OurImages:
    """Return pictures by id; each has pixels of its own name."""
    rows = pa.table(
        {
            "image_id": pa.array(list(hashes), pa.string()),
            "pixel_sha": pa.array(list(hashes), pa.string()),
            "phash": pa.array([value.hex() for value in hashes.values()], pa.string()),
            "source_key": pa.array([f"{image}.png" for image in hashes], pa.string()),
            "parent_image_id": pa.nulls(len(hashes), pa.string()),
        }
    )
    return OurImages(rows)


def picture_hash(seed: str, flipped_bits: int = 0) -> bytes:
    """Return 256 bits that look like a picture's, with some of them flipped."""
    value = int.from_bytes(hashlib.sha256(seed.encode()).digest(), "big")
    for bit in range(flipped_bits):
        value ^= 1 << (bit * 7)
    return value.to_bytes(32, "big")


def edited(text: str, edits: int, rng: random.Random) -> str:
    """Return `text` with so many words replaced at random places."""
    words = text.split()
    for place in rng.sample(range(len(words)), min(edits, len(words))):
        words[place] = f"changed{rng.randrange(1000)}"
    return " ".join(words)


def rules_found(table: pa.Table) -> dict[str, set[str]]:
    """Return the rules of every item."""
    found: dict[str, set[str]] = {}
    for row in table.to_pylist():
        found.setdefault(row["item_id"], set()).add(row["rule"])
    return found
