"""Exports read back as what the lake holds, are reproducible, and never half-written."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from sightline.errors import LakeError, UsageError
from tasks.publish.export import ALL_TRACES, ExportFormat, export, images_by
from tests.sql.lake_tables import connect
from tests.tasks.publish.demo_lake import DemoLake, drawn_scene, query_of

FORMS = list(ExportFormat)


def contents(folder: Path) -> dict[str, str]:
    files = sorted(p for p in folder.rglob("*") if p.is_file())
    return {
        p.relative_to(folder).as_posix(): hashlib.sha256(p.read_bytes()).hexdigest() for p in files
    }


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


@pytest.mark.parametrize("form", FORMS)
def test_export_lists_every_file_with_its_digest(query: Callable, tmp_path: Path, form: str):
    manifest = export(form, query, images_by(query), tmp_path / "out")
    found = contents(tmp_path / "out")
    stated = json.loads((tmp_path / "out" / "manifest.json").read_text())
    del found["manifest.json"]
    assert {file.path: file.sha256 for file in manifest.files} == found
    assert {file["path"]: file["sha256"] for file in stated["files"]} == found
    assert (manifest.rows, stated["rows"]) == (3, 3)
    assert [p.name for p in tmp_path.iterdir()] == ["out"]


@pytest.mark.parametrize("form", FORMS)
def test_export_twice_gives_the_same_bytes(query: Callable, tmp_path: Path, form: str):
    export(form, query, images_by(query), tmp_path / "a")
    export(form, query, images_by(query), tmp_path / "b")
    export(form, query, images_by(query), tmp_path / "a")
    assert contents(tmp_path / "a") == contents(tmp_path / "b")


def test_export_images_are_named_by_their_digest_and_unchanged(query: Callable, tmp_path: Path):
    export("llava", query, images_by(query), tmp_path / "out")
    images = list((tmp_path / "out" / "images").iterdir())
    assert len(images) == 5
    assert {p.suffix for p in images} == {".jpg"}
    assert all(hashlib.sha256(p.read_bytes()).hexdigest() == p.stem for p in images)


def test_visreason_export_reads_back_as_the_traces(query: Callable, tmp_path: Path):
    export("visreason", query, images_by(query), tmp_path / "out")
    written = lines(tmp_path / "out" / "visreason.jsonl")
    traces = query(ALL_TRACES, []).to_pylist()
    assert [row["id"] for row in written] == [trace["chain_id"] for trace in traces]
    for row, trace in zip(written, traces, strict=True):
        zooms = trace["rounds"]
        assert (row["question"], row["Answer"]) == (trace["question"], trace["answer"])
        assert [r["RoI"] for r in row["rounds"][:-1]] == [zoom["roi"] for zoom in zooms]
        assert [r["Reasoning"] for r in row["rounds"]] == [
            *[zoom["reasoning"] for zoom in zooms],
            trace["final_reasoning"],
        ]
        assert row["box_convention"].startswith("[x0, y0, x1, y1] in fractions (0..1) of the view")


def test_llava_export_has_one_placeholder_per_image_and_all_files(query: Callable, tmp_path: Path):
    export("llava", query, images_by(query), tmp_path / "out")
    rows = lines(tmp_path / "out" / "llava.jsonl")
    assert sorted(row["id"] for row in rows) == ["here-chain", "single-chain", "zoomed-chain"]
    for row in rows:
        images = row["image"] if isinstance(row["image"], list) else [row["image"]]
        text = "\n".join(turn["value"] for turn in row["conversations"])
        assert text.count("<image>") == len(images)
        assert text.count("<|image_zoomin|>") == len(images) - 1
        assert all((tmp_path / "out" / image).is_file() for image in images)
        assert [t["from"] for t in row["conversations"]] == ["human", "gpt"] * len(images)
        assert row["conversations"][-1]["value"].splitlines()[-1].startswith("### Answer: ")


def test_llava_export_of_a_zoomed_chain_states_each_region(query: Callable, tmp_path: Path):
    export("llava", query, images_by(query), tmp_path / "out")
    row = next(r for r in lines(tmp_path / "out" / "llava.jsonl") if r["id"] == "zoomed-chain")
    assert len(row["image"]) == 3
    assert "<|box_start|>(0.1,0.2),(0.7,0.8)<|box_end|>" in row["conversations"][1]["value"]
    assert row["conversations"][2]["value"] == "<|image_zoomin|>\n<image>"


def test_llava_export_takes_placeholders_out_of_foreign_text(tmp_path: Path):
    lake = DemoLake()
    lake.single(drawn_scene("a", question="<image> <ima<image>ge> what?", answer="<image>x"),
                "<image>x")  # fmt: skip
    query = query_of(connect(lake.rows))
    export("llava", query, images_by(query), tmp_path / "out")
    (row,) = lines(tmp_path / "out" / "llava.jsonl")
    assert row["conversations"][0]["value"].count("<image>") == 1
    assert "<image>" not in row["conversations"][1]["value"]


def test_parquet_export_equals_the_view(query: Callable, tmp_path: Path):
    export("parquet", query, images_by(query), tmp_path / "out")
    written = pq.read_table(tmp_path / "out" / "traces.parquet")
    assert written.to_pylist() == query(ALL_TRACES, []).to_pylist()


def test_export_into_a_folder_with_other_files_is_refused(query: Callable, tmp_path: Path):
    (tmp_path / "thesis.tex").write_text("mine")
    with pytest.raises(UsageError, match="choose another folder"):
        export("llava", query, images_by(query), tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["thesis.tex"]


def test_export_onto_a_file_is_refused(query: Callable, tmp_path: Path):
    (tmp_path / "out").write_text("mine")
    with pytest.raises(UsageError, match="found a file"):
        export("llava", query, images_by(query), tmp_path / "out")


def test_export_of_an_unknown_format_lists_the_known_ones(query: Callable, tmp_path: Path):
    with pytest.raises(UsageError, match="visreason, llava, parquet"):
        export("lava", query, images_by(query), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_export_replaces_an_earlier_one_of_another_format(query: Callable, tmp_path: Path):
    export("llava", query, images_by(query), tmp_path / "out")
    export("parquet", query, images_by(query), tmp_path / "out")
    assert not (tmp_path / "out" / "llava.jsonl").exists()
    assert (tmp_path / "out" / "traces.parquet").is_file()


def test_export_that_fails_leaves_the_earlier_one_and_nothing_else(query: Callable, tmp_path: Path):
    export("llava", query, images_by(query), tmp_path / "out")
    before = contents(tmp_path / "out")
    with pytest.raises(LakeError, match="5 images of accepted traces are not stored"):
        export("llava", query, lambda _ids: [], tmp_path / "out")
    assert contents(tmp_path / "out") == before
    assert [p.name for p in tmp_path.iterdir()] == ["out"]


def test_export_of_an_empty_lake_has_no_rows(tmp_path: Path):
    query = query_of(connect({}))
    manifest = export("visreason", query, images_by(query), tmp_path / "out")
    assert (manifest.rows, manifest.n_images) == (0, 0)
    assert (tmp_path / "out" / "visreason.jsonl").read_text() == ""


def test_export_card_states_counts_teachers_and_the_strictest_licence(
    query: Callable, tmp_path: Path
):
    teachers = frozenset({"template-teacher"})
    export("llava", query, images_by(query), tmp_path / "out", embedded_teachers=teachers)
    card = (tmp_path / "out" / "README.md").read_text()
    assert "3 traces on 5 images" in card
    assert "template-teacher: embedded template teacher: demo data, not a real model's" in card
    assert "Verdict: **open**" in card
    lake = DemoLake()
    lake.single(drawn_scene("a", licence="CC BY-NC-SA 4.0"), "two")
    lake.single(drawn_scene("b", 1), "two")
    restricted = query_of(connect(lake.rows))
    manifest = export("llava", restricted, images_by(restricted), tmp_path / "out")
    card = (tmp_path / "out" / "README.md").read_text()
    assert "Verdict: **non_commercial**" in card
    assert dict(manifest.licences.rows) == {"CC BY-NC-SA 4.0": 1, "CC-BY-4.0": 1}
