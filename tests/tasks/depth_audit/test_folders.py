"""Folders of truth and labels: what is read, what becomes a failure, what is an error."""

import json
from pathlib import Path
from typing import Any

import pytest

from sightline.errors import Failure, SourceError
from tasks.depth_audit.folders import read_label_folder, read_truth_folder
from tasks.depth_audit.markers import Point
from tasks.depth_audit.truth_rows import TruthRowError
from tasks.depth_audit.work import label_files, truth_files
from tests.tasks.depth_audit.truth_files import write_truth

ROW = {"id": "a", "image": "a.png", "depth": "a_d.png", "kind": "metric depth", "scale": 1000}
LABEL = {"id": "x", "image": "x.png", "a": [1, 2], "b": [3.0, 4], "nearer": "b"}


def labels(folder: Path, *rows: Any) -> Path:
    folder.mkdir()
    lines = [row if isinstance(row, str) else json.dumps(row) for row in rows]
    (folder / "labels.jsonl").write_text("\n".join(lines))
    return folder


def test_rows_that_cannot_be_read_are_failures_of_their_own(tmp_path: Path):
    folder = write_truth(tmp_path / "t", [ROW, "{broken", {"id": "b"}, ROW], {})
    found = read_truth_folder(folder)
    assert [row.item_id for row in found.rows] == ["a"]
    assert [(f.item_id, f.code) for f in found.failures] == [
        ("depth.jsonl:2", Failure.ROW_MALFORMED),
        ("depth.jsonl:3", Failure.ROW_MALFORMED),
        ("depth.jsonl:4", Failure.ROW_DUPLICATED),
    ]


@pytest.mark.parametrize("read", [read_truth_folder, read_label_folder])
def test_folder_without_rows_is_an_error(tmp_path: Path, read: Any):
    with pytest.raises(SourceError, match=r"depth-audit\.md"):
        read(tmp_path)
    with pytest.raises(SourceError):
        read(tmp_path / "nowhere")


def test_folder_in_which_no_row_can_be_used_says_why(tmp_path: Path):
    folder = write_truth(tmp_path / "t", ["{broken"], {})
    with pytest.raises(SourceError, match=r"no row of .* not JSON"):
        read_truth_folder(folder)


def test_files_outside_the_folder_are_not_read(tmp_path: Path):
    (tmp_path / "secret.png").write_bytes(b"x")
    found = read_truth_folder(write_truth(tmp_path / "t", [ROW], {"a.png": b"1"}))
    assert found.read("a.png") == b"1"
    with pytest.raises(TruthRowError, match="inside the folder") as refused:
        found.read("../secret.png")
    assert refused.value.code is Failure.PATH_OUTSIDE_SOURCE
    with pytest.raises(TruthRowError, match=r"a file at 'b\.png'"):
        found.read("b.png")


def test_hash_is_of_rows_and_files(tmp_path: Path):
    def sha(name: str, row: dict[str, Any], image: bytes) -> str:
        folder = write_truth(tmp_path / name, [row], {"a.png": image, "a_d.png": b"d"})
        return read_truth_folder(folder).sha(truth_files)

    first = sha("one", ROW, b"1")
    assert sha("two", ROW, b"1") == first
    assert sha("three", ROW, b"2") != first
    assert sha("four", ROW | {"scale": 5000}, b"1") != first


def test_labels_name_two_points_and_the_nearer_one(tmp_path: Path):
    found = read_label_folder(labels(tmp_path / "l", LABEL))
    (label,) = found.rows
    assert (label.item_id, label.nearer) == ("x", "B")
    assert label.points == {"A": Point(1, 2), "B": Point(3, 4)}
    assert len(found.sha(label_files)) == 64


@pytest.mark.parametrize(
    ("row", "named"),
    [
        (LABEL | {"nearer": "c"}, "'a' or 'b' in 'nearer', found 'c'"),
        (LABEL | {"a": [1]}, "px in 'a', found"),
        (LABEL | {"b": "far"}, "px in 'b', found 'far'"),
        ({"id": "x", "image": "x.png"}, "'nearer'"),
    ],
)
def test_malformed_labels_are_failures(tmp_path: Path, row: dict[str, Any], named: str):
    found = read_label_folder(labels(tmp_path / "l", LABEL | {"id": "good"}, row))
    (failure,) = found.failures
    assert named in failure.detail


def request(folder: Path, name: str, **changed: Any) -> None:
    value = {
        "query": "Which point is closer to the camera?",
        "images": [f"../elsewhere/{name}/image.jpg"],
        "answer": "(B)",
    } | changed
    (folder / name).mkdir(parents=True)
    (folder / name / "request.json").write_text(json.dumps(value))


def test_requests_beside_pictures_are_labels_with_drawn_points(tmp_path: Path):
    request(tmp_path, "one")
    request(tmp_path, "two", query="Which point is farther?", answer="B")
    request(tmp_path, "three", answer="maybe")
    request(tmp_path, "four", images=[])
    found = read_label_folder(tmp_path)
    assert [(r.item_id, r.image, r.nearer, r.points) for r in found.rows] == [
        ("one", "one/image.jpg", "B", None),
        ("two", "two/image.jpg", "A", None),
    ]
    assert sorted(f.item_id for f in found.failures) == ["four", "three"]
