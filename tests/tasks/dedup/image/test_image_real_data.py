"""Real pictures: labelled near duplicates, natural copies, templates, and hostile files."""

import json
from pathlib import Path

import pyarrow as pa
import pytest

from infra.images.decode import ImageProblem, decode
from sightline.errors import Failure
from tasks.image_keys.worker import ImageKeyWorker
from tests.tasks.dedup.image.scenes import Shelf

CLUSTERED = {"exact_dup", "near_dup", "near_dup_dihedral"}
NOT_FOUND = {"ukbench00120__ukbench00120_rotation.jpg"}
"""Turned by some degrees with new corners: no view looks like it."""


def labels(folder: Path) -> list[dict[str, str]]:
    return [json.loads(line) for line in (folder / "labels.jsonl").read_text().splitlines()]


def readable(folder: Path) -> dict[str, bytes]:
    files = {f.name: f.read_bytes() for f in sorted((folder / "images").iterdir())}
    return {name: data for name, data in files.items() if decodes(data)}


def decodes(data: bytes) -> bool:
    try:
        decode(data)
    except ImageProblem:
        return False
    return True


def test_labelled_near_duplicates_are_found_and_other_clusters_stay_apart(real_data: Path):
    rows = labels(real_data / "neardup_images")
    cluster = {row["id"]: row["cluster"] for row in rows}
    shelf = Shelf(readable(real_data / "neardup_images"))
    found = {m: k for pairs in shelf.pairs().values() for m, k in pairs.items()}
    assert all(cluster[m] == cluster[k] for m, k in found.items())
    stored = set(shelf.names.values())
    expected = {r["id"] for r in rows if r["relation_to_cluster_base"] in CLUSTERED} & stored
    touched = set(found) | set(found.values())
    assert expected - touched == NOT_FOUND
    by_cluster = {cluster[k] for m, k in found.items()}
    assert by_cluster == {"ukbench00120", "bridge", "ukbench09380"}


def test_natural_copies_are_stored_once_and_nothing_else_is_merged(real_data: Path):
    shelf = Shelf(readable(real_data / "natural_exact_dups"))
    assert len(shelf.files) < len(labels(real_data / "natural_exact_dups"))
    assert shelf.pairs() == {}


@pytest.mark.parametrize(
    ("folder", "same"),
    [
        ("puzzlevqa", {}),
        ("scienceqa", {"19164.png": "1301.png", "3398.png": "19955.png"}),
        ("tabmwp", {}),
        ("opencqa_charts", {}),
    ],
)
def test_pictures_of_one_template_are_only_merged_where_nothing_differs(
    real_data: Path, folder: str, same: dict[str, str]
):
    shelf = Shelf(readable(real_data / folder))
    merged = shelf.pairs().get("image_phash", {})
    assert {frozenset(pair) for pair in merged.items()} == {frozenset(p) for p in same.items()}


def test_odd_images_each_have_a_key_or_a_typed_failure(real_data: Path):
    files = {f.name: f.read_bytes() for f in sorted((real_data / "odd_images/images").iterdir())}
    batch = pa.table(
        {
            "image_id": list(files),
            "bytes": pa.array(files.values(), pa.binary()),
            "phash": pa.nulls(len(files), pa.string()),
        }
    )
    output = ImageKeyWorker()(batch)
    failed = {failure.item_id: failure.code for failure in output.failures}
    assert set(output.table["image_id"].to_pylist()) | set(failed) == set(files)
    assert set(failed) == {name for name, data in files.items() if not decodes(data)}
    assert all(isinstance(code, Failure) for code in failed.values())
