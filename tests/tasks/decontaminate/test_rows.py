"""Benchmarks in every form people have them in, and what hostile content becomes."""

import base64
import csv
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from infra.images.pixels import encode_png
from sightline.errors import SourceError
from tasks.decontaminate.benchmark import Benchmark, content_sha, prepare
from tasks.decontaminate.layout import Columns
from tasks.decontaminate.rows import BenchmarkFiles

PNG = encode_png(np.random.default_rng(3).integers(0, 255, (40, 50, 3)).astype(np.uint8))
ROW: dict[str, Any] = {
    "id": "a1", "question": "Which town?", "choices": ["Ulm", "Bern"], "answer": "B",
}  # fmt: skip
PLAIN = {
    "name": "a1", "question": "Which town?", "choices": ["Ulm", "Bern"], "answers": ["B", "Bern"],
}  # fmt: skip


def as_jsonl(rows: list[dict[str, Any]]) -> bytes:
    return b"".join(json.dumps(row).encode() + b"\n" for row in rows)


def as_csv(rows: list[dict[str, Any]]) -> bytes:
    out = io.StringIO(newline="")
    writer = csv.DictWriter(out, list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue().encode()


def as_parquet(rows: list[dict[str, Any]]) -> bytes:
    out = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows), out)
    return out.getvalue()


def read(path: Path, **more: Any) -> tuple[Benchmark, dict[str, str]]:
    benchmark, problems = prepare(BenchmarkFiles(path, **more))
    return benchmark, {item: problem.code.value for item, problem in problems}


@pytest.mark.parametrize(
    ("name", "write"),
    [
        ("x.jsonl", as_jsonl),
        ("x.json", lambda rows: json.dumps(rows).encode()),
        ("x.json", lambda rows: json.dumps({"version": 1, "data": rows}, indent=1).encode()),
        ("x.json", lambda rows: json.dumps({row["id"]: row for row in rows}, indent=1).encode()),
        ("x.csv", lambda rows: as_csv([r | {"choices": json.dumps(r["choices"])} for r in rows])),
        ("x.csv", lambda rows: as_csv([r | {"choices": str(r["choices"])} for r in rows])),
        (
            "x.tsv",
            lambda _: (
                b"index\tquestion\tA\tB\tanswer\na1\tWhich town?\tUlm\tBern\tB\n"
                b"a2\tWhich town?\tUlm\tBern\tB\n"
            ),
        ),
        ("x.parquet", as_parquet),
    ],
)
def test_every_form_of_table_gives_the_same_items(
    tmp_path: Path, name: str, write: Callable[[list[dict[str, Any]]], bytes]
):
    path = tmp_path / name
    path.write_bytes(write([ROW, ROW | {"id": "a2"}]))
    benchmark, problems = read(path)
    rows = benchmark.items.select(list(PLAIN)).to_pylist()
    assert rows == [PLAIN, PLAIN | {"name": "a2"}]
    assert problems == {}


@pytest.mark.parametrize(
    "cell",
    [
        "pictures/a.png",
        {"bytes": PNG, "path": "x.png"},
        {"path": "pictures/a.png", "bytes": None},
        PNG,
        "data:image/png;base64," + base64.b64encode(PNG).decode(),
        base64.b64encode(PNG).decode(),
        ["pictures/a.png", "pictures/a.png###[1, 2, 3, 4]"],
    ],
)
def test_a_picture_is_the_same_in_every_form(tmp_path: Path, cell: object):
    (tmp_path / "pictures").mkdir()
    (tmp_path / "pictures" / "a.png").write_bytes(PNG)
    pq.write_table(pa.table({"id": ["a1"], "image": [cell]}), tmp_path / "x.parquet")
    alone = tmp_path / "folder"
    alone.mkdir()
    (alone / "a.png").write_bytes(PNG)
    benchmark, problems = read(tmp_path / "x.parquet")
    assert (benchmark.pixels, problems) == (read(alone)[0].pixels, {})
    assert len(benchmark.pixels) == 1


def test_a_conversation_gives_what_is_asked_first(tmp_path: Path):
    turns = [
        {"from": "human", "value": "<image>\nIs it a gull? Please provide the bounding box "
         "coordinate of the region that can help you answer the question better."},
        {"from": "gpt", "value": "[0.1, 0.2, 0.3, 0.4]"},
    ]  # fmt: skip
    said = [{"role": "user", "content": [{"type": "image"}, {"type": "text", "text": "A gull?"}]}]
    rows = [{"conversations": turns}, {"conversations": said}]
    (tmp_path / "x.jsonl").write_bytes(as_jsonl(rows))
    assert read(tmp_path / "x.jsonl")[0].items["question"].to_pylist() == [
        "Is it a gull?",
        "A gull?",
    ]


def test_hostile_rows_are_items_with_a_problem_and_the_others_are_read(tmp_path: Path):
    lines = [
        as_jsonl([ROW]),
        b"{not json}\n",
        b'{"id": "deep", "question": ' + b"[" * 5000 + b"]" * 5000 + b"}\n",
        b'{"id": "lone", "question": "\\ud800"}\n',
        as_jsonl([{"id": "list", "question": ["no", "turns"]}]),
        as_jsonl([{"id": "out", "question": "q", "image": "../../etc/passwd"}]),
        as_jsonl([{"id": "web", "question": "q", "image": "http://example.org/a.png"}]),
        as_jsonl([{"id": "gone", "question": "q", "image": "none.png"}]),
        as_jsonl([{"id": "text", "question": "q", "image": "x.jsonl"}]),
        as_jsonl([{"id": "int", "question": "q", "image": 7}]),
        b'\xff\xfe{"id": 1}\n',
    ]
    (tmp_path / "x.jsonl").write_bytes(b"".join(lines))
    benchmark, problems = read(tmp_path / "x.jsonl")
    assert len(benchmark.items) == len(lines)
    assert problems == {
        "x.jsonl:1": "row_malformed",
        "x.jsonl:2": "row_malformed",
        "x.jsonl:3": "row_malformed",
        "out": "path_outside_source",
        "web": "path_outside_source",
        "gone": "image_missing",
        "text": "image_unreadable",
        "int": "row_malformed",
        "x.jsonl:10": "row_malformed",
    }
    assert benchmark.items["question"].to_pylist()[5:10] == ["q"] * 5


def test_a_csv_row_of_another_length_is_a_problem(tmp_path: Path):
    (tmp_path / "x.csv").write_bytes(b"id,question\na,one\nb,two,three\nc,\xff\xfe\nd,four\n")
    benchmark, problems = read(tmp_path / "x.csv")
    assert benchmark.items["question"].to_pylist() == ["one", None, "four", None]
    assert set(problems.values()) == {"row_malformed"}
    assert len(problems) == 2


def test_bombs_and_odd_images_become_problems(real_data: Path):
    benchmark, problems = read(real_data / "odd_images" / "images")
    assert set(problems.values()) >= {"image_unreadable", "image_truncated"}
    assert len(benchmark.items) == len(benchmark.pixels) + len(problems)


def test_unknown_columns_are_an_error_that_lists_them(tmp_path: Path):
    (tmp_path / "x.jsonl").write_bytes(as_jsonl([{"frage": "Was?", "bild": "a.png"}]))
    with pytest.raises(SourceError, match=r"'frage', 'bild'.*--text-column"):
        BenchmarkFiles(tmp_path / "x.jsonl")
    with pytest.raises(SourceError, match="frag"):
        BenchmarkFiles(tmp_path / "x.jsonl", Columns(texts=("frag",)))
    given = BenchmarkFiles(tmp_path / "x.jsonl", Columns(texts=("frage",), images=("bild",)))
    assert [item.question for item in given.items()] == ["Was?"]


@pytest.mark.parametrize("content", [b"", b"PAR1 broken", b"[1, 2", b"{}"])
def test_a_file_without_items_is_an_error(tmp_path: Path, content: bytes):
    (tmp_path / "x.json").write_bytes(content)
    with pytest.raises(SourceError):
        BenchmarkFiles(tmp_path / "x.json")


def test_content_decides_the_identity_and_a_name_of_a_file_does_not(tmp_path: Path):
    for name, rows in (("a", [ROW]), ("b", [ROW]), ("c", [ROW | {"answer": "A"}])):
        (tmp_path / f"{name}.jsonl").write_bytes(as_jsonl(rows))
    a, b, c = (content_sha(BenchmarkFiles(tmp_path / f"{n}.jsonl").items()) for n in "abc")
    assert a == b
    assert a != c


def test_a_prepared_benchmark_comes_back_as_it_was(tmp_path: Path):
    pq.write_table(pa.table({"question": ["q"], "image": [PNG]}), tmp_path / "x.parquet")
    benchmark, _ = read(tmp_path / "x.parquet")
    again = Benchmark.from_bytes(benchmark.to_bytes())
    assert again.items.equals(benchmark.items)
    assert again.hashes.tolist() == benchmark.hashes.tolist()
    assert benchmark.to_bytes() == again.to_bytes()
