"""Every universal family through the worker, on tiny networks of random weights."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.numpy import load_file, save_file
from transformers import AutoModelForUniversalSegmentation

from sightline.errors import CheckpointError, Failure
from sightline.schemas import SEGMENTS
from tasks.segment.families import Task
from tasks.segment.universal.combine import panoptic
from tasks.segment.universal.preprocess import QueryRule
from tasks.segment.worker import SegmentWorker
from tests.tasks.segment.pictures import batch_of, picture, rgb
from tests.tiny_networks import LABELS


def worker(folder: Path, **keys: Any) -> SegmentWorker:
    return SegmentWorker(str(folder), 64, precision="fp32", device="cpu", **keys)


@pytest.mark.parametrize("task", list(Task))
def test_worker_gives_rows_of_the_contract_for_every_task(tiny_universal: Path, task: Task):
    ready = worker(tiny_universal, task=task, min_score=0.1, min_area_frac=0.0)
    batch = batch_of(*(picture(seed) for seed in range(4)), b"no picture")
    out, again = ready(batch), ready(batch)
    assert out.table.schema == SEGMENTS.payload
    assert out.table.equals(again.table)
    assert [f.code for f in out.failures] == [Failure.IMAGE_UNREADABLE]
    assert out.table.num_rows
    assert set(out.table["category"].to_pylist()) <= set(LABELS)
    for image in batch["image_id"].to_pylist():
        rows = [row for row in out.table.to_pylist() if row["image_id"] == image]
        assert [row["segment_id"] for row in rows] == list(range(1, len(rows) + 1))
        assert [row["area_px"] for row in rows] == sorted(
            (row["area_px"] for row in rows), reverse=True
        )


@torch.no_grad()
def test_worker_segments_are_those_of_the_network_itself(tiny_universal: Path):
    net = AutoModelForUniversalSegmentation.from_pretrained(tiny_universal).eval()
    scaled = (torch.from_numpy(rgb(1, 96, 64) / 255) - torch.tensor([0.485, 0.456, 0.406])) / (
        torch.tensor([0.229, 0.224, 0.225])
    )
    told = {}
    if net.config.model_type == "oneformer":
        from transformers import AutoTokenizer

        said = AutoTokenizer.from_pretrained(tiny_universal)(
            "the task is panoptic", padding="max_length", max_length=24, return_tensors="pt"
        )
        told["task_inputs"] = said["input_ids"] * said["attention_mask"]
    out = net(pixel_values=scaled.permute(2, 0, 1)[None].float(), **told)
    expected = panoptic(
        out.class_queries_logits[0],
        out.masks_queries_logits[0],
        (64, 96),
        QueryRule(Task.PANOPTIC, 0.1),
    )
    ready = worker(tiny_universal, min_score=0.1, min_area_frac=0.0)
    rows = ready(batch_of(picture(1, 96, 64))).table.to_pylist()
    areas = sorted(int(area) for area in expected.inside.sum((1, 2)) if area >= 16)
    assert sorted(row["area_px"] for row in rows) == pytest.approx(areas, abs=3)


def test_worker_lacks_a_label_to_fuse_is_an_error_that_lists_them(tiny_universal: Path):
    with pytest.raises(CheckpointError, match=r"segment\.fuse.*\['snow'\].*blue box"):
        worker(tiny_universal, fuse=("snow", "sky"))


def test_worker_checkpoint_without_a_tensor_is_an_error(tiny_universal: Path, tmp_path: Path):
    shutil.copytree(tiny_universal, tmp_path, dirs_exist_ok=True)
    tensors = load_file(tmp_path / "model.safetensors")
    gone = next(
        name for name in sorted(tensors) if "class_predictor" in name or "class_embed" in name
    )
    del tensors[gone]
    save_file(tensors, tmp_path / "model.safetensors", {"format": "pt"})
    with pytest.raises(CheckpointError, match=gone.replace(".", r"\.")):
        worker(tmp_path)


def test_worker_config_of_another_family_than_the_weights_is_an_error(
    tiny_universal: Path, tiny_sam2: Path, tmp_path: Path
):
    shutil.copytree(tiny_universal, tmp_path, dirs_exist_ok=True)
    shutil.copy(tiny_sam2 / "config.json", tmp_path / "config.json")
    assert json.loads((tmp_path / "config.json").read_text())["model_type"] == "sam2"
    with pytest.raises(CheckpointError, match="a SAM 2 network"):
        worker(tmp_path)
