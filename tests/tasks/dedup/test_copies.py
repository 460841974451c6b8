"""Embeddings of pictures by an encoder of random weights: mechanics, not what a real one finds."""

import json
import shutil
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from sightline.errors import CheckpointError, Failure
from sightline.schemas import EMBEDDINGS
from tasks.dedup.copies.pictures import square
from tasks.dedup.copies.worker import ImageEmbeddingWorker
from tasks.dedup.semantic.params import Kind, SemanticParams
from tasks.dedup.semantic.report import semantic_report
from tests.encoders import save_image_encoder, save_text_encoder

SIDE = 56


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_image_encoder(tmp_path_factory.mktemp("image-encoder"))


@pytest.fixture(scope="module")
def worker(encoder: Path) -> ImageEmbeddingWorker:
    return ImageEmbeddingWorker(str(encoder), input_px=SIDE, threads=1)


def batch_of(files: dict[str, bytes]) -> pa.Table:
    return pa.table({"image_id": [*files], "bytes": pa.array([*files.values()], pa.large_binary())})


def real_files(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in sorted((folder / "images").iterdir())}


def vectors(table: pa.Table) -> np.ndarray:
    return np.asarray(table["embedding"].to_pylist(), dtype=np.float32)


def test_every_readable_picture_has_a_unit_vector_and_others_are_failures(
    worker: ImageEmbeddingWorker, real_data: Path
):
    files = real_files(real_data / "neardup_images")
    made = worker(batch_of(files | {"broken": b"\xff\xd8\xff no picture"}))
    assert made.table.schema == EMBEDDINGS.payload
    failed = {failure.item_id for failure in made.failures}
    assert "broken" in failed
    assert all(failure.code in Failure for failure in made.failures)
    assert made.table["item_id"].to_pylist() == [name for name in files if name not in failed]
    lengths = np.linalg.norm(vectors(made.table), axis=1)
    assert lengths == pytest.approx(np.ones(len(lengths)), abs=1e-5)


def test_copies_are_nearest_of_all_pictures_even_to_random_weights(
    worker: ImageEmbeddingWorker, real_data: Path
):
    folder = real_data / "neardup_images"
    labels = [json.loads(line) for line in (folder / "labels.jsonl").read_text().splitlines()]
    same = {row["id"] for row in labels if row["relation_to_cluster_base"] == "exact_dup"}
    cluster = {row["id"]: row["cluster"] for row in labels}
    table = worker(batch_of(real_files(folder))).table
    ids, found = table["item_id"].to_pylist(), vectors(table)
    report = semantic_report(ids, found, SemanticParams(threshold=0.9999, kind=Kind.IMAGE))
    pairs = {row["item_id"]: row for row in report.to_pylist() if row["item_id"] != row["kept_id"]}
    copies = {name for name in same if name in ids}
    assert copies <= {*pairs} | {row["kept_id"] for row in pairs.values()}
    assert all(cluster[name] == cluster[pairs[name]["kept_id"]] for name in copies & {*pairs})
    assert {(r["method"], r["decision"]) for r in pairs.values()} == {("image_semantic", "report")}


def test_order_and_batches_change_no_vector(worker: ImageEmbeddingWorker, real_data: Path):
    files = dict(list(real_files(real_data / "neardup_images").items())[:6])
    whole = worker(batch_of(files)).table
    alone = [worker(batch_of({name: data})).table for name, data in files.items()]
    assert np.allclose(vectors(whole), vectors(pa.concat_tables(alone)), atol=1e-6)


def test_square_holds_the_whole_picture():
    rgb = np.zeros((40, 400, 3), np.uint8)
    rgb[:, -40:] = 255
    small = square(rgb, 20)
    assert small.shape == (20, 20, 3)
    assert (small[:, -2:] == 255).all()
    assert (small[:, :-2] == 0).all()
    assert square(rgb[:5, :5], 20).shape == (20, 20, 3)


def test_side_that_patches_do_not_fill_is_refused(encoder: Path):
    with pytest.raises(CheckpointError, match="multiple of 14 px, found 50"):
        ImageEmbeddingWorker(str(encoder), input_px=50)


def test_text_encoder_is_refused(tmp_path: Path):
    weights = save_text_encoder(tmp_path)
    with pytest.raises(CheckpointError, match="which reads no pictures"):
        ImageEmbeddingWorker(str(weights))


@pytest.mark.parametrize("name", ["sscd_disc_mixup.torchscript.pt", "model.pth", "weights.bin"])
def test_torchscript_and_pickles_are_refused_as_files_and_in_folders(
    encoder: Path, tmp_path: Path, name: str
):
    (tmp_path / name).write_bytes(b"PK\x03\x04")
    with pytest.raises(CheckpointError, match="TorchScript archives run code"):
        ImageEmbeddingWorker(str(tmp_path / name))
    shutil.copy(encoder / "config.json", tmp_path)
    with pytest.raises(CheckpointError, match="run code when they are loaded"):
        ImageEmbeddingWorker(str(tmp_path))
