"""Counts on real rows; the numbers are facts of the public files."""

import json
from pathlib import Path

import pytest

from sightline.errors import FAILURE_DOCS
from tests.tasks.ingest.ingested import ingest

COLUMNS = {"question": "question", "answer": "answer", "image": "image", "source_key": "id",
           "width": "width", "height": "height", "licence": "licence"}  # fmt: skip


def table(folder: Path, **columns: str):
    return {
        "path": str(folder / "samples.jsonl"),
        "images": str(folder),
        "columns": COLUMNS | columns,
        "box_convention": "px",
    }


@pytest.mark.parametrize(("name", "rows", "clipped"), [("cub", 10_056, 28), ("sroie", 2_486, 0)])
def test_visual_cot_full_seed_without_images_loses_no_row(
    real_data: Path, name: str, rows: int, clipped: int
):
    path = real_data / "viscot_full" / f"{name}_cot_train.jsonl"
    found = ingest("visual_cot", {"path": str(path)}, part_rows=4000)
    assert (found.samples.num_rows, found.codes, found.images.num_rows) == (rows, {}, 0)
    assert sum(n > 0 for n in found.samples["n_boxes_clipped"].to_pylist()) == clipped
    assert set(found.samples["dataset"].to_pylist()) == {name}
    assert len(set(found.samples["sample_id"].to_pylist())) == rows


def test_visual_cot_all_benchmark_boxes_agree_under_the_padded_square(real_data: Path):
    files = sorted((real_data / "viscot_annotations" / "benchmark").glob("*.json"))
    assert len(files) == 13
    for file in files:
        assert ingest("visual_cot", {"path": str(file)}).codes == {"image_missing": 60}, file.name


def test_visual_cot_real_conversation_on_its_real_page_agrees(real_data: Path, tmp_path: Path):
    folder = real_data / "docvqa_mini"
    rows = [json.loads(line) for line in (folder / "samples.jsonl").read_text().splitlines()]
    (row,) = [row for row in rows if row.get("viscot_norm_box")]
    ask = (
        " Please provide the bounding box coordinate of the region that can help you answer the "
        "question better."
    )
    values = ["<image>\n" + row["question"] + ask, row["viscot_norm_box"], "<image>", row["answer"]]
    record = {
        "image": [row["image"], f"{row['image']}###{row['boxes'][0]}"],
        "conversations": [{"value": value} for value in values],
    }
    (tmp_path / "rows.json").write_text(json.dumps([record]))
    options = {"path": str(tmp_path / "rows.json"), "images": str(folder)}
    found = ingest("visual_cot", options)
    assert found.codes == {}
    assert found.samples["boxes"].to_pylist() == [row["boxes"]]
    record["conversations"][1]["value"] = str([round(v / 1168, 3) for v in row["boxes"][0]])
    (tmp_path / "rows.json").write_text(json.dumps([record]))
    assert ingest("visual_cot", options).codes == {"box_convention": 1}


def test_visual_cot_dude_rows_off_the_page_are_refused(real_data: Path):
    path = real_data / "viscot_annotations" / "train" / "dude_cot_train.jsonl"
    found = ingest("visual_cot", {"path": str(path)})
    assert (found.samples.num_rows, found.codes) == (140, {"box_outside": 10})


@pytest.mark.parametrize(
    ("name", "columns", "images", "samples", "codes"),
    [
        ("sroie_viscot", {"boxes": "boxes"}, 32, 126, {}),
        ("scienceqa", {"choices": "choices"}, 79, 84, {}),
        ("tabmwp", {"choices": "choices"}, 80, 80, {}),
        ("coco", {"boxes": "boxes"}, 40, 68, {"row_duplicated": 3}),
        ("puzzlevqa", {}, 77, 77, {"row_duplicated": 3}),
    ],
)
def test_table_real_samples_are_all_accounted_for(
    real_data: Path,
    name: str,
    columns: dict[str, str],
    images: int,
    samples: int,
    codes: dict[str, int],
):
    found = ingest("table", table(real_data / name, **columns))
    assert (found.images.num_rows, found.samples.num_rows) == (images, samples)
    assert found.codes == codes


def test_table_scienceqa_keeps_letters_and_choices(real_data: Path):
    found = ingest("table", table(real_data / "scienceqa", choices="choices"))
    assert set(found.samples["answer_kind"].to_pylist()) == {"choice"}
    assert all(len(c) >= 2 for c in found.samples["choices"].to_pylist())


def test_table_coco_detection_rows_have_boxes_and_no_question(real_data: Path):
    found = ingest("table", table(real_data / "coco", boxes="boxes"))
    rows = [row for row in found.samples.to_pylist() if row["question"] is None]
    assert len(rows) == 40
    assert {row["answer_kind"] for row in rows} == {None}
    assert sum(row["boxes"] is not None for row in rows) == 39


def test_image_folder_odd_files_become_typed_failures_and_the_run_goes_on(real_data: Path):
    found = ingest("image_folder", {"path": str(real_data / "odd_images")})
    planned = [row.source_key for plan in found.plans for row in plan.rows]
    assert found.samples.num_rows + found.failures.num_rows == len(planned)
    assert found.samples.num_rows >= 27
    assert set(found.codes) <= {str(code) for code in FAILURE_DOCS}
    lines = (real_data / "odd_images" / "expected.jsonl").read_text().splitlines()
    refused = {row["image"] for row in map(json.loads, lines) if row["expected"] == "reject"}
    assert not refused & set(found.samples["source_key"].to_pylist())


@pytest.mark.parametrize(
    ("name", "images", "codes"),
    [
        ("natural_exact_dups", 24, {"row_duplicated": 31}),
        ("neardup_images", 31, {"row_duplicated": 3, "image_unreadable": 1}),
    ],
)
def test_image_folder_byte_identical_files_are_stored_once_and_counted(
    real_data: Path, name: str, images: int, codes: dict[str, int]
):
    found = ingest("image_folder", {"path": str(real_data / name), "question": "What is this?"})
    assert (found.images.num_rows, found.samples.num_rows, found.codes) == (images, images, codes)
