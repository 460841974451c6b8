"""Pictures of unseen scenes through both embedded networks to relations, against exact truth."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from infra.images.masks import decode_mask
from sightline.ids import image_id
from tasks.depth.worker import DepthWorker
from tasks.ground.build import GroundObjects, objects_of
from tasks.ground.relations import relations_of
from tasks.ingest.scenes.render import ObjectTruth, Rendered, object_truths, render, scene_png
from tasks.ingest.scenes.world import SceneParams, sample_scene
from tasks.segment.worker import SegmentWorker

SCENES = 24
SEED = 777_001


@dataclass(frozen=True)
class Shown:
    image_id: str
    data: bytes
    rendered: Rendered
    truths: tuple[ObjectTruth, ...]


def shown(index: int) -> Shown:
    scene = sample_scene(SEED, index, SceneParams(n=SCENES))
    rendered = render(scene)
    data = scene_png(rendered)
    return Shown(image_id(data), data, rendered, object_truths(scene, rendered))


@pytest.fixture(scope="module")
def pictures(repo_root: Path) -> dict[str, Shown]:
    if not (repo_root / "tasks/segment/embedded/model.safetensors").is_file():
        pytest.skip("the embedded weights are not in this checkout")
    return {picture.image_id: picture for picture in map(shown, range(SCENES))}


@pytest.fixture(scope="module")
def objects(pictures: dict[str, Shown]) -> GroundObjects:
    batch = pa.table({"image_id": list(pictures), "bytes": [p.data for p in pictures.values()]})
    maps = DepthWorker("embedded:depth", 126, 0, "fp32", "antialias", threads=1)(batch)
    segments = SegmentWorker("embedded:segment", 192, precision="fp32", threads=1)(batch)
    assert maps.failures == segments.failures == ()
    return objects_of(segments.table, maps.table)


def matched(row: dict, picture: Shown) -> ObjectTruth | None:
    """The solid that the object shares more than half of their union with."""
    mask = decode_mask(row["mask_rle"], row["mask_width"], row["mask_height"])
    for truth in picture.truths:
        solid = picture.rendered.instance == truth.number
        if (mask & solid).sum() > 0.5 * (mask | solid).sum():
            return truth
    return None


def test_embedded_networks_find_and_name_most_solids(
    pictures: dict[str, Shown], objects: GroundObjects
):
    pairs = [(r, matched(r, pictures[r["image_id"]])) for r in objects.table.to_pylist()]
    found = {(r["image_id"], truth.number) for r, truth in pairs if truth}
    named = [r["category"] == f"{truth.colour} {truth.shape}" for r, truth in pairs if truth]
    assert objects.failures == ()
    assert len(found) >= 0.85 * sum(len(picture.truths) for picture in pictures.values())
    assert np.mean(named) >= 0.8


def test_embedded_networks_decided_relations_agree_with_the_truth(
    pictures: dict[str, Shown], objects: GroundObjects
):
    truths = {
        (r["image_id"], r["object_id"]): matched(r, pictures[r["image_id"]])
        for r in objects.table.to_pylist()
    }
    nearer, left = [], []
    for row in relations_of(objects.table).to_pylist():
        one = truths[row["image_id"], row["subject_object_id"]]
        other = truths[row["image_id"], row["object_object_id"]]
        if row["status"] != "decided" or one is None or other is None or one is other:
            continue
        if row["kind"] == "in_front_of":
            nearer.append(one.depth_m < other.depth_m)
        if row["kind"] == "left_of":
            left.append(one.centre_px[0] < other.centre_px[0])
    assert len(nearer) > 100
    assert np.mean(nearer) >= 0.97
    assert np.mean(left) >= 0.99
