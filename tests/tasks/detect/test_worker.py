"""Both detectors through the worker, beside the networks and post-processing of transformers."""

import json
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pyarrow as pa
import pytest
import torch
from transformers import AutoTokenizer, GroundingDinoForObjectDetection, Owlv2ForObjectDetection
from transformers.models.grounding_dino.processing_grounding_dino import GroundingDinoProcessor
from transformers.models.owlv2.image_processing_pil_owlv2 import Owlv2ImageProcessorPil

from infra.images.pixels import encode_png
from sightline.errors import CheckpointError, Failure, RecipeError
from sightline.ids import image_id
from sightline.schemas import DETECTIONS
from tasks.detect.worker import DetectWorker

QUERIES = ("red mug", "blue box", "dog")
ALL = {"max_overlap": 1.0, "max_boxes": 999}
"""Nothing is suppressed, as in the post-processing of transformers."""


def rgb(seed: int, width: int, height: int) -> np.ndarray:
    coarse = np.random.default_rng(seed).integers(0, 255, (5, 6, 3), dtype=np.uint8)
    return cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC).astype(np.uint8)


def picture(seed: int, width: int = 90, height: int = 60) -> bytes:
    return encode_png(rgb(seed, width, height))


def batch_of(*pictures: bytes) -> pa.Table:
    return pa.table({"image_id": [image_id(p) for p in pictures], "bytes": list(pictures)})


def worker(folder: Path, queries: tuple[str, ...] = QUERIES, **keys: Any) -> DetectWorker:
    return DetectWorker(str(folder), queries, device="cpu", precision="fp32", input_px=64, **keys)


def scaled(pixels: np.ndarray) -> torch.Tensor:
    mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    return ((torch.from_numpy(pixels / 255) - mean) / std).permute(2, 0, 1)[None].float()


def words_of(label: str) -> list[str]:
    """The words of a label of transformers, which leaves the text's own signs in."""
    return [word for word in label.replace(".", " ").split() if not word.startswith("[")]


@torch.no_grad()
def test_grounding_dino_gives_the_boxes_and_scores_of_transformers(tiny_dino: Path):
    net = GroundingDinoForObjectDetection.from_pretrained(tiny_dino).eval()
    tokenizer = AutoTokenizer.from_pretrained(tiny_dino)
    asked = tokenizer("red mug. blue box. dog.", return_tensors="pt")
    out = net(pixel_values=scaled(rgb(1, 96, 64)), **asked)
    as_processor = SimpleNamespace(batch_decode=tokenizer.batch_decode)
    (theirs,) = GroundingDinoProcessor.post_process_grounded_object_detection(
        as_processor, out, asked["input_ids"], threshold=0.4, text_threshold=0.25
    )
    rows = worker(tiny_dino, min_score=0.4, **ALL)(batch_of(picture(1, 96, 64))).table.to_pylist()
    inside = (theirs["boxes"].clamp(0, 1)).numpy()
    has_area = (inside[:, 2] > inside[:, 0]) & (inside[:, 3] > inside[:, 1])
    expected = sorted(
        (float(score), box.tolist(), words_of(label))
        for score, box, label, stays in zip(
            theirs["scores"], inside, theirs["text_labels"], has_area, strict=True
        )
        if stays
    )[::-1]
    assert len(rows) == len(expected) > 0
    for row, (score, box, words) in zip(rows, expected, strict=True):
        assert row["score"] == pytest.approx(score, abs=1e-4)
        assert row["box"] == pytest.approx(box, abs=1e-4)
        assert row["label"].split() == (words or row["query"].split())
        assert row["query"] in QUERIES


@torch.no_grad()
@pytest.mark.parametrize("size", [(90, 60), (60, 90), (64, 64)])
def test_owlv2_gives_the_boxes_scores_and_queries_of_transformers(
    tiny_owl: Path, size: tuple[int, int]
):
    net = Owlv2ForObjectDetection.from_pretrained(tiny_owl).eval()
    tokenizer = AutoTokenizer.from_pretrained(tiny_owl)
    length = net.config.text_config.max_position_embeddings
    texts = [f"a photo of a {query}" for query in QUERIES]
    asked = tokenizer(
        texts, padding="max_length", max_length=length, truncation=True, return_tensors="pt"
    )
    processor = Owlv2ImageProcessorPil(size={"height": 64, "width": 64})
    pixels = processor(rgb(1, *size), return_tensors="pt")["pixel_values"].float()
    out = net(pixel_values=pixels, **asked)
    (theirs,) = processor.post_process_object_detection(
        out, threshold=0.5, target_sizes=[(size[1], size[0])]
    )
    rows = worker(tiny_owl, min_score=0.5, **ALL)(batch_of(picture(1, *size))).table.to_pylist()
    frame = np.array([*size, *size])
    boxes = np.clip(theirs["boxes"].numpy() / frame, 0, 1)
    has_area = (boxes[:, 2] > boxes[:, 0]) & (boxes[:, 3] > boxes[:, 1])
    expected = sorted(
        (-float(score), QUERIES[int(label)], box.tolist())
        for score, label, box, stays in zip(
            theirs["scores"], theirs["labels"], boxes, has_area, strict=True
        )
        if stays
    )
    assert len(rows) == len(expected) > 0
    for row, (score, query, box) in zip(rows, expected, strict=True):
        assert row["score"] == pytest.approx(-score, abs=5e-3)
        assert row["query"] == row["label"] == query
        assert row["box"] == pytest.approx(box, abs=2e-2)


def test_many_queries_are_asked_in_several_texts(tiny_dino: Path):
    many = tuple(f"{first}{second}" for first in "abcdefg" for second in "xyz")
    ready = worker(tiny_dino, many, min_score=0.05)
    rows = ready(batch_of(picture(2))).table.to_pylist()
    assert len(ready._network._prompts) > 1
    assert {row["query"] for row in rows} <= set(many)
    assert len({row["query"] for row in rows}) > 1


def test_rows_keep_the_contract_repeat_and_do_not_depend_on_order(tiny_detector: Path):
    ready = worker(tiny_detector, min_score=0.3)
    batch = batch_of(picture(1), b"no picture", picture(2, 60, 90), picture(3))
    out, again = ready(batch), ready(batch)
    assert out.table.schema == DETECTIONS.payload
    assert out.table.equals(again.table)
    assert [(f.item_id, f.code) for f in out.failures] == [
        (image_id(b"no picture"), Failure.IMAGE_UNREADABLE)
    ]
    turned = ready(batch.take([3, 2, 1, 0])).table

    def facts(table: pa.Table) -> list[Any]:
        return sorted((r["image_id"], r["detection_id"], r["query"]) for r in table.to_pylist())

    assert facts(out.table) == facts(turned)
    for image in set(out.table["image_id"].to_pylist()):
        rows = [row for row in out.table.to_pylist() if row["image_id"] == image]
        assert [row["detection_id"] for row in rows] == list(range(1, len(rows) + 1))


@pytest.mark.parametrize("keys", [{"precision": "bf16"}, {"min_score": None}])
def test_worker_runs_in_bf16_and_with_published_thresholds(
    tiny_detector: Path, keys: dict[str, Any]
):
    ready = DetectWorker(str(tiny_detector), QUERIES, device="cpu", input_px=64, **keys)
    assert ready(batch_of(picture(1))).failures == ()


def test_worker_without_queries_is_an_error(tiny_detector: Path):
    with pytest.raises(RecipeError, match=r"detect\.queries"):
        worker(tiny_detector, ())


def test_worker_checkpoint_of_another_family_is_an_error(tiny_detector: Path, tmp_path: Path):
    shutil.copytree(tiny_detector, tmp_path, dirs_exist_ok=True)
    config = json.loads((tmp_path / "config.json").read_text()) | {"model_type": "detr"}
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(CheckpointError, match=r"grounding-dino, owlv2.*found model_type 'detr'"):
        worker(tmp_path)


def test_worker_checkpoint_without_its_tokenizer_is_an_error(tiny_detector: Path, tmp_path: Path):
    shutil.copytree(tiny_detector, tmp_path, dirs_exist_ok=True)
    for file in tmp_path.iterdir():
        if file.name not in ("config.json", "model.safetensors"):
            file.unlink()
    with pytest.raises(CheckpointError, match="with its tokenizer"):
        worker(tmp_path)
