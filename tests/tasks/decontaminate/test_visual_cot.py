"""Visual-CoT's training rows against Visual-CoT's own benchmark files, as published.

The paper says the two are apart.  The pack holds 60 items of each of 13 benchmark files (without
pictures), samples of four training files, and all of two.  What is found, and why:

- CUB: one generated template, "Does the bird in the picture have ...": its first seven words and an
  attribute are in 8,351 of 10,056 rows (`ngram8`), none of them in more than 10 items, so nothing
  is a template by count; 14 rows ask exactly an item's question, of another bird.
- SROIE: four questions for all receipts.  Three stand in more than 10 items and match nothing; the
  fourth, about the address, stands in 8 of 60 and so in all 618 training rows that ask it.
- VSR: 12 matches by text, and the pictures themselves: 4 of the 56 that the benchmark shows are in
  the sample of 150 training rows.  Without the files only their names tell.
- DUDE: nothing of its own benchmark; one row shares eight words with a DocVQA item.

So text alone decides nothing here, and nothing is dropped for it.
"""

import json
import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tasks.decontaminate.benchmark import Benchmark, prepare
from tasks.decontaminate.compare import Comparison
from tasks.decontaminate.rows import BenchmarkFiles
from tasks.decontaminate.rules import rule_book
from tests.tasks.decontaminate.made import images, picture_hash, samples
from tests.tasks.decontaminate.stored import pictured, stored_images

BENCHMARK_ITEMS = 60
OF_SROIE = {"exact": 618, "ngram8": 618}


def benchmark_of(data: Path, name: str) -> Benchmark:
    path = data / "viscot_annotations" / "benchmark" / f"{name}.json"
    benchmark, problems = prepare(BenchmarkFiles(path))
    assert len(benchmark.items) == len(problems) == BENCHMARK_ITEMS
    assert {problem.code.value for _, problem in problems} == {"image_missing"}
    return benchmark


def train_rows(data: Path, name: str) -> list[dict[str, Any]]:
    lines = (data / f"{name}_cot_train.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


@pytest.mark.parametrize(
    ("train", "against", "found", "items"),
    [
        ("viscot_full/cub", "cub", {"ngram8": 8351, "exact": 14}, 57),
        ("viscot_full/sroie", "sroie", OF_SROIE, 1),
        ("viscot_annotations/train/vsr", "vsr", {"ngram8": 6, "short_exact": 4, "exact": 2}, 7),
        ("viscot_annotations/train/dude", "dude", {}, 0),
        ("viscot_annotations/train/dude", "docvqa", {"ngram8": 1}, 1),
        ("viscot_annotations/train/cub", "gqa", {}, 0),
    ],
)
def test_questions_of_training_files_that_stand_in_the_benchmark(
    real_data: Path, train: str, against: str, found: dict[str, int], items: int
):
    rows = train_rows(real_data, train)
    asked = samples(*({"question": row["question"], "answer": row["answer"]} for row in rows))
    comparison = Comparison("b", benchmark_of(real_data, against), rule_book())
    compared = comparison.samples(asked, images())
    matches = compared.rows.to_pylist()
    assert Counter(row["rule"] for row in matches) == found
    assert len({row["benchmark_item"] for row in matches}) == items
    assert {row["decision"] for row in matches} <= {"review"}
    assert compared.counts["without_picture"] == len(rows)
    assert comparison.facts()["not_compared"]["pictures_not_there"] >= BENCHMARK_ITEMS - 10


def test_questions_of_all_receipts_are_templates_and_named(real_data: Path):
    comparison = Comparison("b", benchmark_of(real_data, "sroie"), rule_book())
    templates = comparison.facts()["templates"]["whole"]["most_frequent"]
    assert [(t["items"], t["text"].split()[3]) for t in templates] == [
        (20, "company"),
        (17, "date"),
        (15, "total"),
    ]
    rows = train_rows(real_data, "viscot_full/sroie")
    asked = samples(*({"question": row["question"]} for row in rows))
    compared = comparison.samples(asked, images())
    assert compared.counts["only_templates_shared"] == len(rows) - OF_SROIE["exact"]


def test_pictures_in_both_files_are_known_by_their_names(real_data: Path):
    shared: dict[str, set[str]] = {}
    for name in ("cub", "dude", "sroie", "vsr"):
        rows = train_rows(real_data, f"viscot_annotations/train/{name}")
        ours = sorted({Path(str(row["image"])).stem for row in rows})
        comparison = Comparison("b", benchmark_of(real_data, name), rule_book())
        compared = comparison.images(images(**{stem: picture_hash(stem) for stem in ours}))
        shared[name] = {row["item_id"] for row in compared.rows.to_pylist()}
        assert set(compared.rows["rule"].to_pylist()) <= {"image_name"}
    assert {name: len(found) for name, found in shared.items()} == {
        "cub": 0, "dude": 0, "sroie": 0, "vsr": 4,
    }  # fmt: skip
    assert "000000026978" in shared["vsr"]


def test_receipts_with_pictures_match_themselves_and_the_question_decides(
    real_data: Path, tmp_path: Path
):
    folder = real_data / "sroie_viscot"
    lines = (folder / "samples.jsonl").read_text(encoding="utf-8").splitlines()[:8]
    rows = [json.loads(line) for line in lines]
    (tmp_path / "exam.jsonl").write_text("\n".join(lines[::2]))
    shutil.copytree(folder / "images", tmp_path / "images")
    comparison = pictured(tmp_path / "home", tmp_path / "exam.jsonl")
    ours = stored_images({row["image"]: (folder / row["image"]).read_bytes() for row in rows})
    asked = [
        {"sample_id": row["id"], "question": row["question"], "answer": row["answer"]}
        | {"image_ids": [row["image"]]}
        for row in rows
    ]
    found = comparison.samples(samples(*asked), ours).rows.to_pylist()
    dropped = {r["item_id"] for r in found if r["decision"] == "drop"}
    assert dropped == {row["id"] for row in rows[::2]}
    same = {r["item_id"] for r in comparison.images(ours).rows.to_pylist()}
    assert same == {row["image"] for row in rows[::2]}
