"""Images through a worker into the lake: batches, weights, and errors before an image is read."""

import shutil
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from safetensors.numpy import load_file, save_file

from infra import annotation
from infra.annotation import (
    ImageStep,
    Wanted,
    annotate_images,
    annotate_together,
    image_batches,
    with_weights,
)
from infra.checkpoints import Checkpoint
from infra.execution import Produced, RunContext
from infra.images.decode import decode
from infra.images.pixels import encode_jpeg
from infra.lake.lake import Lake
from infra.pool.local_pool import LocalPool
from infra.pool.workers import Placement
from sightline.errors import CheckpointError, PoolError
from sightline.ids import image_id
from sightline.provenance import Step
from sightline.schemas import DEPTH_MAPS, FAILURES, IMAGES, SEGMENTS
from tasks.depth.params import DepthParams
from tasks.vision import stages
from tests.tasks.depth import seeded

DEPTH = ImageStep(Step("depth", 1), DEPTH_MAPS, "tasks.depth.worker:DepthWorker")
PART = "p0"
RANDOM = np.random.default_rng(8)


def image_row(number: int) -> dict[str, Any]:
    rgb = RANDOM.integers(0, 255, (48, 64, 3), dtype=np.uint8)
    data = encode_jpeg(rgb) if number else b"no picture"
    row = dict.fromkeys(IMAGES.payload.names)
    made = {"image_id": image_id(data), "bytes": data, "width": 64, "height": 48, "source": "test"}
    made |= {"format": "jpeg", "n_bytes": len(data), "n_frames": 1, "exif_orientation": 1}
    made |= {"pixel_sha": "0" * 64, "phash": "0" * 64, "licence": "CC0-1.0"}
    return {name: made.get(name, row[name]) for name in row}


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    lake = Lake(tmp_path / "lake")
    table = IMAGES.rows([image_row(number) for number in range(7)])
    with lake.stage(IMAGES, PART, "f" * 15) as staged:
        staged.write(IMAGES.with_provenance(table, part=PART, run_id="r", fingerprint="f" * 15))
        lake.publish(IMAGES, [staged.finish()])
    return lake


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    seeded.network("relative").save_pretrained(tmp_path / "net")
    return tmp_path / "net"


@pytest.fixture
def pool() -> Iterator[LocalPool]:
    with LocalPool() as pool:
        yield pool


def annotate(lake: Lake, weights: Path | str, pool: LocalPool) -> Any:
    context = RunContext(lake=lake, recipe="test", recipe_identity="0")
    params = DepthParams(str(weights), seeded.INPUT_PX, precision="fp32")
    return annotate_images(PART, DEPTH, asdict(params), context, pool)


def test_annotate_computes_once_and_bad_pictures_are_failures(
    lake: Lake, folder: Path, pool: LocalPool
):
    first, second = annotate(lake, folder, pool), annotate(lake, folder, pool)
    assert (first.reused, second.reused) == (False, True)
    images = lake.read(IMAGES, columns=["image_id"])["image_id"].to_pylist()
    assert lake.read(DEPTH_MAPS, columns=["image_id"])["image_id"].to_pylist() == images[1:]
    assert lake.read(FAILURES, columns=["item_id"])["item_id"].to_pylist() == images[:1]


def test_annotate_other_weights_of_the_same_name_are_computed_again(
    lake: Lake, folder: Path, pool: LocalPool
):
    first = annotate(lake, folder, pool)
    tensors = load_file(folder / "model.safetensors")
    save_file(
        {name: 1.1 * tensor for name, tensor in tensors.items()},
        folder / "model.safetensors",
        {"format": "pt"},
    )
    pool.close()
    with LocalPool() as fresh:
        second = annotate(lake, folder, fresh)
    assert not second.reused
    assert second.fingerprint != first.fingerprint


def broken(folder: Path, how: str) -> Path | str:
    weights = folder / "model.safetensors"
    tensors = load_file(weights)
    if how == "lacks a tensor":
        tensors.pop("head.conv1.weight")
        save_file(tensors, weights, {"format": "pt"})
    elif how == "truncated":
        weights.write_bytes(weights.read_bytes()[:-100])
    elif how == "another kind":
        shutil.copytree("tasks/segment/embedded", folder, dirs_exist_ok=True)
    return "org/nowhere" if how == "not cached" else folder


@pytest.mark.parametrize("how", ["lacks a tensor", "truncated", "another kind", "not cached"])
def test_annotate_with_a_wrong_checkpoint_fails_before_an_image_is_read(
    lake: Lake, folder: Path, pool: LocalPool, how: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    for file in (lake_files := list(Path(lake.uri.removeprefix("file://")).rglob("*.parquet"))):
        if "images" in str(file):
            file.write_bytes(b"")  # whoever reads an image fails otherwise
    assert lake_files
    with pytest.raises((CheckpointError, PoolError), match=r"CheckpointError|checkpoint|weights"):
        annotate(lake, broken(folder, how), pool)


def test_worker_that_found_other_weights_stops_the_step():
    found = Checkpoint("org/net", Path(), "a" * 64, None)
    rows = [Produced(DEPTH_MAPS, pa.table({"weights_sha": [sha * 64]})) for sha in "aab"]
    assert list(with_weights(found, rows[:2])) == rows[:2]
    with pytest.raises(CheckpointError, match="on a worker"):
        list(with_weights(found, rows))


def test_batches_for_gpus_are_larger_and_hold_the_same_rows(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(annotation, "BATCH_ROWS", 2)
    monkeypatch.setattr(annotation, "GPU_BATCH_ROWS", 4)
    on_cpus, on_gpus = (
        list(image_batches(lake, PART, Placement(num_gpus=gpus))) for gpus in (0, 1)
    )
    assert [b.num_rows for b in on_cpus] == [2, 2, 2, 1]
    assert [b.num_rows for b in on_gpus] == [4, 3]
    assert pa.concat_tables(on_gpus).equals(pa.concat_tables(on_cpus))
    monkeypatch.setattr(annotation, "BATCH_BYTES", 1)
    assert len(list(image_batches(lake, PART, Placement(num_gpus=1)))) == 4


SEGMENT = ImageStep(Step("segment", 1), SEGMENTS, "tasks.segment.worker:SegmentWorker")


def both(folder: Path) -> list[Wanted]:
    segment = {"weights": "embedded:segment", "input_px": 64, "precision": "fp32"}
    depth = asdict(DepthParams(str(folder), seeded.INPUT_PX, precision="fp32"))
    return [Wanted(DEPTH, depth), Wanted(SEGMENT, segment)]


def rows_of(lake: Lake) -> list[pa.Table]:
    return [lake.read(contract) for contract in (DEPTH_MAPS, SEGMENTS, FAILURES)]


def test_annotate_together_gives_what_each_step_gives_from_one_decode(
    lake: Lake, folder: Path, pool: LocalPool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    shutil.copytree(tmp_path / "lake", tmp_path / "alone")
    alone = Lake(tmp_path / "alone")
    context = RunContext(lake=lake, recipe="test", recipe_identity="0")
    apart = RunContext(lake=alone, recipe="test", recipe_identity="0")
    wanted = both(folder)
    for one in wanted:
        annotate_images(PART, one.step, one.parameters, apart, pool)
    decoded = []
    monkeypatch.setattr(stages, "decode", lambda data: decoded.append(data) or decode(data))
    results = annotate_together(PART, wanted, context, pool)
    assert len(decoded) == len(set(decoded)) == 6
    assert [(r.step, r.reused, r.failed) for r in results] == [
        ("depth", False, 1),
        ("segment", False, 1),
    ]
    assert all(a.equals(b) for a, b in zip(rows_of(lake), rows_of(alone), strict=True))
    assert rows_of(lake)[1].num_rows > 0
    assert [r.reused for r in annotate_together(PART, wanted, context, pool)] == [True, True]


def test_annotate_together_computes_only_what_is_missing(lake: Lake, folder: Path, pool: LocalPool):
    context = RunContext(lake=lake, recipe="test", recipe_identity="0")
    depth, segment = both(folder)
    annotate_images(PART, depth.step, depth.parameters, context, pool)
    results = annotate_together(PART, [depth, segment], context, pool)
    assert [(r.step, r.reused) for r in results] == [("depth", True), ("segment", False)]
