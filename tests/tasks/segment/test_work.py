"""What is asked about an image: read from the lake, by content, in one order."""

from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from infra.lake.lake import Lake
from infra.lake.objects import StorageOptions
from sightline.errors import LakeError
from sightline.schemas import DETECTIONS, IMAGES, SAMPLES
from tasks.segment.prompting import PROMPTS_COLUMN, PromptKind, prompts_of
from tasks.segment.work import detections_asked, prompted, samples_asked
from tests.factories import commit, payload_of

A, B, ELSEWHERE = "image-a", "image-b", "image-c"


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    lake = Lake(tmp_path, StorageOptions())
    commit(lake, IMAGES, payload_of(IMAGES, 2, image_id=lambda n: (A, B)[n]))
    return lake


def samples(*rows: tuple[str, list[str], Any]) -> pa.Table:
    return payload_of(
        SAMPLES,
        len(rows),
        sample_id=lambda n: rows[n][0],
        image_ids=lambda n: rows[n][1],
        boxes=lambda n: rows[n][2],
        image_width=100,
        image_height=50,
    )


def test_boxes_of_samples_are_fractions_of_their_first_image_each_once(lake: Lake):
    half, other = [0.0, 0.0, 50.0, 50.0], [10.0, 10.0, 60.0, 40.0]
    commit(lake, SAMPLES, samples(("s2", [A], [half]), ("s1", [A, B], [half, other])), "one")
    commit(lake, SAMPLES, samples(("s0", [B], None), ("s3", [ELSEWHERE], [half])), "two")
    asked = samples_asked(lake, "p", ["one", "two"])
    assert {image: [(p.id, p.box, p.label) for p in found] for image, found in asked.items()} == {
        A: [("s1", (0.0, 0.0, 0.5, 1.0), None), ("s1", (0.1, 0.2, 0.6, 0.8), None)]
    }
    assert asked == samples_asked(lake, "p", ["two", "one"])
    assert {prompt.kind for prompt in asked[A]} == {PromptKind.SAMPLE}


def test_boxes_without_an_area_and_images_of_other_parts_ask_nothing(lake: Lake):
    commit(lake, SAMPLES, samples(("s1", [A], [[5.0, 5.0, 5.0, 9.0]]), ("s2", [], None)), "one")
    assert samples_asked(lake, "p", ["one"]) == {}
    assert samples_asked(lake, "p", []) == {}


def test_detections_are_asked_best_first_with_their_labels(lake: Lake):
    with pytest.raises(LakeError, match="detections"):
        detections_asked(lake, "p")
    found = payload_of(
        DETECTIONS, 2, image_id=B, detection_id=lambda n: 2 - n, label=lambda n: f"label {n}"
    )
    commit(lake, DETECTIONS, found)
    asked = detections_asked(lake, "p")
    assert [(p.id, p.label) for p in asked[B]] == [("1", "label 1"), ("2", "label 0")]


def test_images_without_a_prompt_do_not_travel_and_prompts_come_along_whole(lake: Lake):
    found = payload_of(DETECTIONS, 2, image_id=B, label="mug")
    commit(lake, DETECTIONS, found)
    asked = detections_asked(lake, "p")
    images = pa.table({"image_id": [A, B], "bytes": [b"a", b"b"]})
    (batch,) = prompted([images, images.slice(0, 1)], asked)
    assert batch["image_id"].to_pylist() == [B]
    assert batch.schema.field("prompts").type == PROMPTS_COLUMN.type
    assert prompts_of(batch.to_pylist()[0]) == list(asked[B])
    assert prompts_of({"image_id": A}) is None
