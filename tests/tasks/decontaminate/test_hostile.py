"""Benchmarks made to break a reader: each is a clear error or becomes rows of `failures`."""

import json
import resource
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sightline.errors import SourceError
from tasks.decontaminate.benchmark import prepare
from tasks.decontaminate.compare import Comparison
from tasks.decontaminate.layout import Columns
from tasks.decontaminate.rows import BenchmarkFiles
from tasks.decontaminate.rules import rule_book
from tasks.ingest import records
from tests.tasks.decontaminate.made import CITY, images, samples

MB = 10**6


def compared_with(path: Path, *questions: str, **more: Any) -> tuple[dict[str, str], set[str]]:
    """Return the problems by item, and the rules by which questions of ours match."""
    benchmark, problems = prepare(BenchmarkFiles(path, **more))
    comparison = Comparison("b", benchmark, rule_book())
    rows = comparison.samples(samples(*({"question": q} for q in questions)), images()).rows
    assert all(len(row["evidence"]) <= 500 for row in rows.to_pylist())
    found = {item: problem.code.value for item, problem in problems}
    return found, set(rows["rule"].to_pylist())


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("x.jsonl", b"", r"x\.jsonl.*found \[\]"),
        ("x.jsonl", b"\n\n  \n", "x.jsonl"),
        ("x.json", b"[]", "x.json"),
        ("x.json", b"null", "x.json"),
        ("x.csv", b"", "x.csv"),
        ("x.tsv", b"\n", "x.tsv"),
        ("x.csv", b"frage,bild\nWas?,a.png\n", "'frage', 'bild'.*--text-column"),
        ("x.parquet", b"", "x.parquet"),
        ("x.parquet", b"PAR1" + b"\0" * 40, "Parquet"),
        ("x.jsonl", b"\xff\xfe\x00\xd8" * 50, "x.jsonl"),
        ("x.csv", b"\xff\xfe\x00,\xd8\n1,2\n", "--text-column"),
        ("x.jsonl", b'"a text"\n7\nnull\n', "x.jsonl"),
    ],
)
def test_a_file_without_anything_to_compare_is_an_error_that_names_it(
    tmp_path: Path, name: str, content: bytes, said: str
):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(SourceError, match=said):
        BenchmarkFiles(tmp_path / name)


def test_a_folder_without_data_or_images_is_an_error(tmp_path: Path):
    (tmp_path / "exam").mkdir()
    (tmp_path / "exam" / ".hidden.jsonl").write_text('{"question": "q"}')
    (tmp_path / "exam" / "notes.txt").write_text("nothing")
    with pytest.raises(SourceError, match="folder with data files or images"):
        BenchmarkFiles(tmp_path / "exam")


def test_a_table_with_columns_and_no_rows_is_an_exam_of_no_items(tmp_path: Path):
    pq.write_table(pa.table({"question": pa.array([], pa.string())}), tmp_path / "x.parquet")
    (tmp_path / "x.csv").write_text("id,question\n")
    for name in ("x.parquet", "x.csv"):
        assert compared_with(tmp_path / name, CITY) == ({}, set())


def test_a_text_of_ten_megabytes_is_compared_and_quoted_shortly(tmp_path: Path):
    words = " ".join(f"word{n}" for n in range(1_200_000))
    assert len(words) > 10 * MB
    rows = [{"id": "long", "question": words}, {"id": "one", "question": "a " * MB}]
    (tmp_path / "x.jsonl").write_text("\n".join(map(json.dumps, rows)))
    middle = " ".join(f"word{n}" for n in range(700_000, 700_020))
    assert compared_with(tmp_path / "x.jsonl", middle, words) == ({}, {"ngram8", "exact"})


def test_a_line_beyond_the_limit_is_one_bad_row_and_is_not_held(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(records, "MAX_LINE_BYTES", 4 * MB)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with (tmp_path / "x.jsonl").open("w") as file:
        file.write(json.dumps({"id": "first", "question": CITY}) + "\n")
        file.write('{"id": "huge", "question": "')
        for _ in range(300):
            file.write("x" * MB)
        file.write('"}\n' + json.dumps({"id": "last", "question": CITY}) + "\n")
    found, rules = compared_with(tmp_path / "x.jsonl", CITY)
    assert (found, "exact" in rules) == ({"x.jsonl:1": "row_malformed"}, True)
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown < 200_000, "KB: the line of 300 MB is skipped in pieces"


def test_invalid_bytes_cost_their_own_rows_only(tmp_path: Path):
    good = json.dumps({"id": "good", "question": CITY}).encode()
    (tmp_path / "x.jsonl").write_bytes(b'{"id": "bad", "question": "\xff\xfe"}\n' + good + b"\n")
    assert compared_with(tmp_path / "x.jsonl", CITY)[0] == {"x.jsonl:0": "row_malformed"}
    (tmp_path / "y.csv").write_bytes(b"id,question\nbad,\xff\xfe\ngood," + CITY.encode() + b"\n")
    found, rules = compared_with(tmp_path / "y.csv", CITY)
    assert (list(found.values()), "exact" in rules) == (["row_malformed"], True)


def test_pictures_that_are_missing_or_no_pictures_cost_their_rules_only(tmp_path: Path):
    (tmp_path / "empty.png").write_bytes(b"")
    (tmp_path / "text.png").write_bytes(b"no picture")
    (tmp_path / "loop.png").symlink_to(tmp_path / "loop.png")
    names = ["gone.png", "empty.png", "text.png", "loop.png", "/etc/hostname", "..", "", "a\0b.png"]
    rows = [{"id": f"i{n}", "question": CITY, "image": name} for n, name in enumerate(names)]
    (tmp_path / "x.jsonl").write_text("\n".join(map(json.dumps, rows)))
    found, rules = compared_with(tmp_path / "x.jsonl", CITY)
    assert "exact" in rules
    assert set(found) == {f"i{n}" for n, name in enumerate(names) if name}
    assert found["i0"] == "image_missing"
    assert found["i4"] == found["i5"] == "path_outside_source"


def test_columns_of_unusable_types_are_rows_with_a_problem(tmp_path: Path):
    table = pa.table({"id": ["a"], "question": pa.array([[[1, 2]]]), "image": pa.array([{"x": 1}])})
    pq.write_table(table, tmp_path / "x.parquet")
    assert compared_with(tmp_path / "x.parquet", CITY)[0] == {"a": "row_malformed"}
    with pytest.raises(SourceError, match="quest"):
        compared_with(tmp_path / "x.parquet", columns=Columns(texts=("quest",)))
