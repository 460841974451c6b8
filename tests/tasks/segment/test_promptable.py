"""SAM 2 through the worker, beside direct calls of the network that transformers loads."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import functional
from transformers import Sam2Model

from infra.images.masks import decode_mask
from infra.images.suppression import keep_best
from sightline.errors import CheckpointError, Failure
from sightline.ids import image_id
from tasks.segment.worker import SegmentWorker
from tests import tiny_networks
from tests.tasks.segment.pictures import batch_of, normalised, picture, prompt, rgb

GRID = (96, 64)
"""Of a picture of 90 x 60 at a short side of 64."""
BOXES = ([0.1, 0.1, 0.5, 0.6], [0.3, 0.2, 0.9, 0.8], [0.0, 0.0, 1.0, 1.0])


def worker(folder: Path, **keys: Any) -> SegmentWorker:
    return SegmentWorker(str(folder), 64, precision="fp32", device="cpu", **keys)


@pytest.fixture(scope="module")
def net(tiny_sam2: Path) -> Any:
    return Sam2Model.from_pretrained(tiny_sam2).eval()


def on_grid(logits: torch.Tensor) -> torch.Tensor:
    return functional.interpolate(logits, size=(GRID[1], GRID[0]), mode="bilinear")[0]


@torch.no_grad()
def test_boxes_get_the_masks_of_the_network_itself(tiny_sam2: Path, net: Any):
    asked = [prompt(n, *box) for n, box in enumerate(BOXES, start=1)]
    rows = worker(tiny_sam2)(batch_of(picture(1), prompts=[asked])).table.to_pylist()
    boxes = torch.tensor([BOXES]) * 64
    out = net(pixel_values=normalised(rgb(1), 64), input_boxes=boxes, multimask_output=False)
    masks = (on_grid(out.pred_masks[0, :, 0][None]) > 0).numpy()
    found = {row["prompt_id"]: row for row in rows}
    for number, mask in enumerate(masks):
        if not mask.any():
            assert str(number + 1) not in found
            continue
        row = found[str(number + 1)]
        assert (row["mask_width"], row["mask_height"]) == GRID
        assert (decode_mask(row["mask_rle"], *GRID) == mask).mean() > 0.999
        assert row["score"] == pytest.approx(float(out.iou_scores[0, number, 0]), abs=1e-4)
        assert row["prompt_box"] == pytest.approx(BOXES[number])
        assert (row["prompt_kind"], row["category"]) == ("detection", "mug")
    assert found
    assert [row["segment_id"] for row in rows] == list(range(1, len(rows) + 1))
    areas = [row["area_px"] for row in rows]
    assert areas == sorted(areas, reverse=True)


@torch.no_grad()
def test_grid_keeps_the_masks_that_the_official_generator_keeps(tiny_sam2: Path, net: Any):
    rules = {"min_iou": 0.3, "min_stability": 0.6, "max_overlap": 0.5}
    keys = {"grid_points": 4, "max_segments": 99, "min_area_frac": 0.0}
    rows = worker(tiny_sam2, **rules, **keys)(batch_of(picture(2))).table.to_pylist()
    pixels = normalised(rgb(2), 64)
    masks, scores = [], []
    for y in range(4):
        for x in range(4):
            point = torch.tensor([[[[(x + 0.5) / 4 * 64, (y + 0.5) / 4 * 64]]]])
            out = net(pixel_values=pixels, input_points=point, multimask_output=True)
            for logits, score in zip(
                on_grid(out.pred_masks[0, 0][None]), out.iou_scores[0, 0], strict=True
            ):
                stability = (logits > 1).sum() / max(1, int((logits > -1).sum()))
                if score > 0.3 and stability >= 0.6 and (logits > 0).any():
                    masks.append((logits > 0).numpy())
                    scores.append(float(score))
    corners = np.asarray([tight(mask) for mask in masks], dtype=float)
    kept = [masks[n] for n in keep_best(corners, np.asarray(scores), 0.5)]
    expected = sorted(int(mask.sum()) for mask in kept if mask.sum() >= 16)
    assert sorted(row["area_px"] for row in rows) == pytest.approx(expected, abs=3)
    assert expected
    assert {row["category"] for row in rows} == {None}
    assert {row["prompt_kind"] for row in rows} == {None}


def tight(mask: np.ndarray) -> tuple[int, int, int, int]:
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return (columns[0], rows[0], columns[-1] + 1, rows[-1] + 1)


def test_image_is_encoded_once_however_many_boxes(tiny_sam2: Path):
    ready = worker(tiny_sam2)
    encoded = []
    ready._model._net.vision_encoder.register_forward_hook(lambda *_: encoded.append(1))
    many = [prompt(n, 0.0, 0.0, 0.3 + n / 1000, 0.5) for n in range(1, 151)]
    rows = ready(batch_of(picture(3), prompts=[many])).table
    assert len(encoded) == 1
    assert set(rows["prompt_id"].to_pylist()) <= {str(n) for n in range(1, 151)}


def test_prompts_of_one_picture_do_not_touch_another_and_runs_repeat(tiny_sam2: Path):
    ready = worker(tiny_sam2)
    boxes = [[prompt(1, *BOXES[0])], [prompt(1, *BOXES[1]), prompt(2, *BOXES[0])]]
    first = ready(batch_of(picture(4), picture(5), prompts=boxes)).table
    again = ready(batch_of(picture(4), picture(5), prompts=boxes)).table
    turned = ready(batch_of(picture(5), picture(4), prompts=boxes[::-1])).table
    assert first.equals(again)

    def facts(table: Any) -> list[tuple[Any, ...]]:
        columns = ("image_id", "segment_id", "prompt_id", "area_px", "mask_rle")
        return sorted(tuple(row[name] for name in columns) for row in table.to_pylist())

    assert facts(first) == facts(turned)


def test_bad_picture_fails_alone(tiny_sam2: Path):
    boxes = [[prompt(1, *BOXES[0])], [prompt(1, *BOXES[0])]]
    out = worker(tiny_sam2)(batch_of(b"no picture", picture(4), prompts=boxes))
    assert [(f.item_id, f.code) for f in out.failures] == [
        (image_id(b"no picture"), Failure.IMAGE_UNREADABLE)
    ]
    assert set(out.table["image_id"].to_pylist()) <= {image_id(picture(4))}


def test_published_checkpoints_that_call_themselves_video_load(tmp_path: Path):
    folder = tiny_networks.sam2(tmp_path, as_video=True)
    assert json.loads((folder / "config.json").read_text())["model_type"] == "sam2_video"
    out = worker(folder, grid_points=2)(batch_of(picture(1), prompts=[[prompt(1, *BOXES[0])]]))
    assert out.failures == ()


def test_grid_of_a_network_without_prompts_is_an_error(tiny_segmenter: Path):
    with pytest.raises(CheckpointError, match="'grid' needs a SAM 2 network"):
        worker(tiny_segmenter, prompts="grid")


def test_checkpoint_of_an_unknown_family_is_an_error(tiny_sam2: Path, tmp_path: Path):
    shutil.copytree(tiny_sam2, tmp_path, dirs_exist_ok=True)
    config = json.loads((tmp_path / "config.json").read_text()) | {"model_type": "bert"}
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(CheckpointError, match=r"expected a segmenter.*found model_type 'bert'"):
        worker(tmp_path)
