"""Queries a user pastes: all of them run, and those with published numbers reproduce them."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.sql.healthy import VIEW, healthy
from tests.sql.lake_tables import SQL, Rows, answer, connect

QUERIES = {path.stem: path for path in sorted((SQL / "queries").glob("*.sql"))}


def ask(name: str, rows: Rows) -> list[dict[str, Any]]:
    with connect(rows) as con:
        return answer(con, QUERIES[name].read_text())


@pytest.mark.parametrize("name", QUERIES)
def test_query_states_purpose_grain_and_parameters(name: str):
    header = QUERIES[name].read_text().split("\n\n")[0]
    assert header.startswith("-- Purpose: ")
    assert "-- Grain: one row per " in header
    assert "Parameters: " in header


@pytest.mark.parametrize("name", QUERIES)
def test_query_on_an_empty_lake_runs(name: str):
    found = ask(name, {})
    assert len(found) == (11 if name == "yield_funnel" else 0)


@pytest.mark.parametrize("name", QUERIES)
def test_query_on_a_small_lake_has_an_answer_in_the_same_order_every_time(name: str):
    rows = healthy()
    rows["verdicts"][2] |= {"detail": "expected 2, found 3"}
    backwards = {table: listed[::-1] for table, listed in rows.items()}
    found = ask(name, rows)
    assert found
    assert ask(name, backwards) == found


def viscot_samples(path: Path) -> list[dict[str, Any]]:
    """Rows of the public Visual-CoT JSONL, as ingest stores them without their images."""
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    return [
        {
            "sample_id": f"{path.stem} {number}",
            "dataset": row["dataset"],
            "image_width": row["width"],
            "image_height": row["height"],
            "boxes": row["bboxs"],
        }
        for number, row in enumerate(rows)
    ]


@pytest.fixture(scope="module")
def viscot(real_data: Path) -> list[dict[str, Any]]:
    folder = real_data / "viscot_full"
    return [row for path in sorted(folder.glob("*.jsonl")) for row in viscot_samples(path)]


def test_zoom_gate_share_of_real_cub_rows_is_the_published_one(viscot: list[dict[str, Any]]):
    found = {row["dataset"]: row for row in ask("zoom_gate_share", {"samples": viscot})}
    assert found["cub"]["n_rows"] == 10056
    assert found["cub"]["single_round_percent"] == pytest.approx(54.63)  # arXiv:2511.17731


def test_average_box_size_of_real_rows_is_the_published_one(viscot: list[dict[str, Any]]):
    found = ask("average_box_size", {"samples": viscot})
    sizes = {row["dataset"]: row["average_box_size_px"] for row in found}
    assert sizes == {"cub": 249.0, "sroie": 480.4}  # arXiv:2511.17731


def test_rounds_distribution_counts_complete_chains_only():
    rows = healthy()
    rows["generations"].append(dict(rows["generations"][0]) | {"chain_id": "c3", "round": 3})
    found = ask("rounds_distribution", rows)
    assert found == [
        {
            "dataset": "demo",
            "n_chains": 2,
            "percent_1": 50.0,
            "percent_2": 50.0,
            "percent_3": 0.0,
            "percent_4_or_more": 0.0,
        }
    ]


def test_box_iou_by_round_compares_on_the_original_image():
    rows = healthy()
    rows["samples"][0] |= {"boxes": [[20.0, 20.0, 80.0, 80.0]]}
    rows["steps"][1] |= {"box_stated": [0.2, 0.2, 0.5, 0.8], "box_original": VIEW}
    rows["generations"][0] |= {"view_box": [0.0, 0.0, 1.0, 1.0]}
    found = ask("box_iou_by_round", rows)
    assert [(row["round"], row["mean_stated_iou"], row["mean_fixed_iou"]) for row in found] == [
        (1, 0.5, 1.0)
    ]


def test_reply_defects_counts_replies_and_chains_by_teacher():
    rows = healthy()
    rows["generations"][0]["teacher"] = rows["generations"][1]["teacher"] = "a"
    rows["generations"][2]["teacher"] = "b"
    counted = [
        (row["teacher"], row["defect"], row["n_replies"], row["n_chains"], row["chains_percent"])
        for row in ask("reply_defects", rows)
    ]
    assert counted == [("a", "repetition", 2, 1, 100.0), ("a", "role_token", 1, 1, 100.0)]
    assert {row["n_accepted"] for row in ask("reply_defects", rows)} == {1}


def test_nearest_objects_ranks_by_depth_within_an_image():
    found = ask("nearest_objects", healthy())
    assert [(row["nearness_rank"], row["category"]) for row in found] == [(1, "cup"), (2, "table")]
