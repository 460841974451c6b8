import json
import shutil
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from safetensors.numpy import load_file, save_file

from infra.images.decode import decode
from infra.images.depth_codec import decode_levels, values_of
from infra.images.pixels import encode_jpeg, encode_png
from infra.pool.workers import WorkerOutput
from sightline.errors import CheckpointError, Failure
from sightline.ids import image_id
from sightline.schemas import DEPTH_MAPS
from tasks.depth.worker import DepthWorker

RANDOM = np.random.default_rng(3)


def picture(width: int, height: int) -> bytes:
    return encode_png(RANDOM.integers(0, 255, (height, width, 3), dtype=np.uint8))


def batch_of(*pictures: bytes) -> pa.Table:
    return pa.table({"image_id": [image_id(p) for p in pictures], "bytes": list(pictures)})


@pytest.fixture(scope="module")
def worker(tiny_depth: Path) -> DepthWorker:
    return DepthWorker(str(tiny_depth), 126, precision="fp32", threads=1)


def test_worker_batch_of_mixed_shapes_gives_a_map_each_in_order(worker: DepthWorker):
    batch = batch_of(picture(256, 192), picture(100, 300), picture(256, 192), picture(20, 20))
    out = worker(batch)
    assert isinstance(out, WorkerOutput)
    assert out.table.schema == DEPTH_MAPS.payload
    assert out.failures == ()
    assert out.table["image_id"].to_pylist() == batch["image_id"].to_pylist()
    sizes = list(zip(*(out.table[n].to_pylist() for n in ("width", "height")), strict=True))
    assert sizes == [(168, 126), (126, 378), (168, 126), (126, 126)]
    row = out.table.to_pylist()[0]
    levels = decode_levels(row["depth"])
    assert levels.shape == (126, 168)
    assert row["lo"] <= row["p2"] <= row["p98"] <= row["hi"]
    assert (row["kind"], row["direction"]) == ("relative", "larger_nearer")
    assert np.isfinite(values_of(levels, row["lo"], row["hi"])).all()


def test_worker_bad_pictures_fail_alone_and_it_serves_the_next_batch(worker: DepthWorker):
    good, cut = picture(64, 64), encode_jpeg(decode(picture(64, 64)).rgb)[:900]
    out = worker(batch_of(cut, good, b"no picture"))
    assert out.table["image_id"].to_pylist() == [image_id(good)]
    assert [(f.item_id, f.code) for f in out.failures] == [
        (image_id(cut), Failure.IMAGE_TRUNCATED),
        (image_id(b"no picture"), Failure.IMAGE_UNREADABLE),
    ]
    assert worker(batch_of(good)).table.num_rows == 1
    assert worker(batch_of(b"")).table.num_rows == 0


def test_worker_same_batch_twice_is_byte_identical(worker: DepthWorker):
    batch = batch_of(picture(90, 60), picture(90, 60))
    assert worker(batch).table.equals(worker(batch).table)


def test_worker_alone_or_in_a_batch_a_picture_gets_the_same_map(worker: DepthWorker):
    pictures = [picture(90, 60) for _ in range(5)]
    together = worker(batch_of(*pictures)).table.to_pylist()
    for data, row in zip(pictures, together, strict=True):
        alone = worker(batch_of(data)).table.to_pylist()[0]
        apart = decode_levels(alone["depth"]).astype(int) - decode_levels(row["depth"])
        assert np.abs(apart).max() <= 1
        assert alone["lo"] == pytest.approx(row["lo"], abs=1e-5)


def test_worker_metric_network_counts_the_other_way(tiny_depth: Path, tmp_path: Path):
    shutil.copytree(tiny_depth, tmp_path, dirs_exist_ok=True)
    config = json.loads((tmp_path / "config.json").read_text())
    config |= {"depth_estimation_type": "metric", "max_depth": 20}
    (tmp_path / "config.json").write_text(json.dumps(config))
    row = DepthWorker(str(tmp_path), 126)(batch_of(picture(50, 50))).table.to_pylist()[0]
    assert (row["kind"], row["direction"]) == ("metric", "larger_farther")
    assert 0 <= row["lo"] <= row["hi"] <= 20


def test_worker_network_that_gives_nan_fails_the_row(tiny_depth: Path, tmp_path: Path):
    shutil.copytree(tiny_depth, tmp_path, dirs_exist_ok=True)
    tensors = load_file(tmp_path / "model.safetensors")
    tensors["head.conv3.bias"][:] = np.nan
    save_file(tensors, tmp_path / "model.safetensors", {"format": "pt"})
    out = DepthWorker(str(tmp_path), 126)(batch_of(picture(50, 50)))
    assert [f.code for f in out.failures] == [Failure.WORKER_ERROR]
    assert "finite" in out.failures[0].detail


def test_worker_checkpoint_without_a_tensor_is_an_error_not_noise(tiny_depth: Path, tmp_path: Path):
    shutil.copytree(tiny_depth, tmp_path, dirs_exist_ok=True)
    tensors = load_file(tmp_path / "model.safetensors")
    del tensors["head.conv2.weight"]
    save_file(tensors, tmp_path / "model.safetensors", {"format": "pt"})
    with pytest.raises(CheckpointError, match=r"head\.conv2\.weight"):
        DepthWorker(str(tmp_path), 126)


def test_worker_checkpoint_of_another_kind_is_an_error(tmp_path: Path):
    from transformers import SegformerConfig, SegformerForSemanticSegmentation

    config = SegformerConfig(hidden_sizes=[8, 8, 8, 8], num_attention_heads=[1, 1, 1, 1])
    SegformerForSemanticSegmentation(config).save_pretrained(tmp_path)
    with pytest.raises(CheckpointError):
        DepthWorker(str(tmp_path), 126)


def test_worker_bf16_differs_in_little_but_in_its_preproc_id(tiny_depth: Path, worker: DepthWorker):
    batch = batch_of(picture(126, 126))
    exact = worker(batch).table.to_pylist()[0]
    half = DepthWorker(str(tiny_depth), 126, precision="bf16")(batch).table.to_pylist()[0]
    assert half["preproc_id"] != exact["preproc_id"]
    assert half["p98"] == pytest.approx(exact["p98"], rel=0.05)
    levels = [len(np.unique(decode_levels(row["depth"]))) for row in (half, exact)]
    assert levels[0] > 0.8 * levels[1] > 256  # more than bf16 could tell apart


def test_worker_embedded_weights_are_named_and_licensed(repo_root: Path):
    if not (repo_root / "tasks/depth/embedded/model.safetensors").is_file():
        pytest.skip("the embedded weights are not in this checkout")
    row = DepthWorker("embedded:depth", 126)(batch_of(picture(256, 192))).table.to_pylist()[0]
    assert (row["model"], row["licence"]) == ("embedded", "Apache-2.0")
    assert len(row["weights_sha"]) == 64
