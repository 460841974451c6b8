"""Depth facts against exact truth: rendered scenes with blurred depth and masks that spill over."""

import cv2
import numpy as np
import pyarrow as pa
import pytest

from sightline.schemas import SEGMENTS
from tasks.ground.build import objects_of
from tasks.ground.relations import relations_of
from tasks.ingest.scenes.render import ObjectTruth, Rendered, object_truths, render
from tasks.ingest.scenes.world import SceneParams, sample_scene
from tests.tasks.ground.scenes import depth_map, segment_row

SCENES = 40


@pytest.fixture(scope="module")
def scenes() -> list[tuple[Rendered, dict[int, ObjectTruth]]]:
    made = []
    for index in range(SCENES):
        scene = sample_scene(99, index, SceneParams(n=SCENES))
        rendered = render(scene)
        made.append((rendered, {t.number: t for t in object_truths(scene, rendered)}))
    return made


def estimated(rendered: Rendered, blur_px: float, spill_px: int) -> tuple[pa.Table, pa.Table]:
    """Segments and a depth map as imperfect networks would give them."""
    depth = np.where(np.isinf(rendered.depth), 0, 1 / rendered.depth).astype(np.float32)
    if blur_px:
        depth = cv2.GaussianBlur(depth, (0, 0), blur_px)
    kernel = np.ones((2 * spill_px + 1, 2 * spill_px + 1), dtype=np.uint8)
    rows = []
    for number in np.unique(rendered.instance[rendered.instance > 0]).tolist():
        mask = cv2.dilate((rendered.instance == number).astype(np.uint8), kernel) > 0
        rows.append(segment_row(mask, number, "a", "thing"))
    return SEGMENTS.rows(rows), depth_map(depth)


@pytest.mark.parametrize(
    ("blur_px", "spill_px", "least_right"), [(0, 0, 1.0), (3, 3, 0.998), (6, 4, 0.995)]
)
def test_relations_of_scenes_that_are_decided_agree_with_the_truth(
    scenes,  # noqa: ANN001
    blur_px: float,
    spill_px: int,
    least_right: float,
):
    right: list[bool] = []
    pairs = 0
    for rendered, truths in scenes:
        objects = objects_of(*estimated(rendered, blur_px, spill_px)).table
        assert set(objects["depth_status"].to_pylist()) == {"ok"}
        for row in relations_of(objects).to_pylist():
            one = truths[row["subject_object_id"]]
            other = truths[row["object_object_id"]]
            if row["kind"] == "in_front_of":
                pairs += 1
                if row["status"] == "decided":
                    right.append(one.depth_m < other.depth_m)
            if row["kind"] == "left_of" and row["status"] == "decided":
                assert one.centre_px[0] < other.centre_px[0]
    assert len(right) >= 0.75 * pairs > 200
    assert np.mean(right) >= least_right
