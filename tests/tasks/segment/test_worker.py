import json
import shutil
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from safetensors.numpy import load_file, save_file

from infra.images.masks import decode_mask
from infra.images.pixels import encode_png
from sightline.errors import CheckpointError, Failure
from sightline.ids import image_id
from sightline.schemas import SEGMENTS
from tasks.segment.worker import SegmentWorker

RANDOM = np.random.default_rng(5)


def picture(width: int, height: int) -> bytes:
    return encode_png(RANDOM.integers(0, 255, (height, width, 3), dtype=np.uint8))


def batch_of(*pictures: bytes) -> pa.Table:
    return pa.table({"image_id": [image_id(p) for p in pictures], "bytes": list(pictures)})


def with_bias(folder: Path, target: Path, label: int) -> str:
    """Copy the network so that it says `label` everywhere."""
    shutil.copytree(folder, target, dirs_exist_ok=True)
    tensors = load_file(target / "model.safetensors")
    tensors["decode_head.classifier.bias"][label] += 50
    save_file(tensors, target / "model.safetensors", {"format": "pt"})
    return str(target)


def test_worker_network_that_sees_one_thing_gives_one_whole_segment(
    tiny_segmenter: Path, tmp_path: Path
):
    worker = SegmentWorker(with_bias(tiny_segmenter, tmp_path, 2), 64, threads=1)
    out = worker(batch_of(picture(96, 64), picture(64, 96), picture(96, 64)))
    assert out.table.schema == SEGMENTS.payload
    rows = out.table.to_pylist()
    assert [(r["mask_width"], r["mask_height"]) for r in rows] == [(96, 64), (64, 96), (96, 64)]
    assert {r["category"] for r in rows} == {"blue box"}
    assert [r["segment_id"] for r in rows] == [1, 1, 1]
    assert rows[0]["box"] == [0, 0, 1, 1]
    assert rows[0]["score"] == pytest.approx(1.0)
    assert decode_mask(rows[0]["mask_rle"], 96, 64).all()


def test_worker_network_that_sees_only_background_gives_no_row_and_no_failure(
    tiny_segmenter: Path, tmp_path: Path
):
    worker = SegmentWorker(with_bias(tiny_segmenter, tmp_path, 0), 64)
    out = worker(batch_of(picture(96, 64)))
    assert (out.table.num_rows, out.failures) == (0, ())


def test_worker_bad_picture_fails_alone_and_runs_repeat(tiny_segmenter: Path):
    worker = SegmentWorker(str(tiny_segmenter), 64)
    batch = batch_of(picture(96, 64), b"no picture", picture(64, 64))
    first, second = worker(batch), worker(batch)
    assert [(f.item_id, f.code) for f in first.failures] == [
        (image_id(b"no picture"), Failure.IMAGE_UNREADABLE)
    ]
    assert first.table.equals(second.table)
    ids = [r["segment_id"] for r in first.table.to_pylist() if r["image_id"] == batch[0][0].as_py()]
    assert ids == list(range(1, len(ids) + 1))


def test_worker_checkpoint_without_a_tensor_is_an_error(tiny_segmenter: Path, tmp_path: Path):
    shutil.copytree(tiny_segmenter, tmp_path, dirs_exist_ok=True)
    tensors = load_file(tmp_path / "model.safetensors")
    del tensors["decode_head.classifier.weight"]
    save_file(tensors, tmp_path / "model.safetensors", {"format": "pt"})
    with pytest.raises(CheckpointError, match=r"decode_head\.classifier\.weight"):
        SegmentWorker(str(tmp_path), 64)


def test_worker_means_of_the_checkpoint_are_used(tiny_segmenter: Path, tmp_path: Path):
    shutil.copytree(tiny_segmenter, tmp_path, dirs_exist_ok=True)
    stated = {"image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.5, 0.5]}
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(stated))
    batch = batch_of(picture(64, 64))
    ours, theirs = (SegmentWorker(str(f), 64)(batch).table for f in (tiny_segmenter, tmp_path))
    assert ours["score"].to_pylist() != theirs["score"].to_pylist()


def test_worker_embedded_weights_know_what_stands_in_a_scene(repo_root: Path):
    if not (repo_root / "tasks/segment/embedded/model.safetensors").is_file():
        pytest.skip("the embedded weights are not in this checkout")
    out = SegmentWorker("embedded:segment", 192)(batch_of(picture(256, 192)))
    assert out.failures == ()
