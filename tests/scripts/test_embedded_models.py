"""The committed networks: what the card says is so, and the goals are met on unseen scenes."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional
from transformers import (
    AutoModelForDepthEstimation,
    AutoModelForSemanticSegmentation,
    DepthAnythingForDepthEstimation,
    SegformerForSemanticSegmentation,
)

from scripts.train_embedded_models import RECIPES, TASKS, folder_of
from scripts.training.cache import HeldOut, held_out
from scripts.training.card import read_card, weights_sha256
from scripts.training.depth import aligned_loss, load_depth_network
from scripts.training.labels import LABELS, label_map
from scripts.training.loop import rate_share
from scripts.training.measure import depth_figures, segment_figures
from scripts.training.preprocess import DEPTH_RULE, SEGMENT_RULE, ResizeRule, resized
from scripts.training.segment import load_segment_network, overlap_loss
from tasks.ingest.scenes.render import GENERATOR_VERSION, render
from tasks.ingest.scenes.world import SceneParams, sample_scene

DEPTH, SEGMENT = folder_of(TASKS, "depth"), folder_of(TASKS, "segment")


@pytest.fixture(scope="module")
def unseen() -> HeldOut:
    return held_out(40)


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    # On a busy machine two threads wait for each other at every layer: several times slower.
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def test_weights_together_stay_within_five_megabytes():
    files = [path for folder in (DEPTH, SEGMENT) for path in folder.iterdir()]
    assert sum(path.stat().st_size for path in files) <= 5_000_000


@pytest.mark.parametrize("name", sorted(RECIPES))
def test_card_describes_the_committed_weights(name: str):
    folder = folder_of(TASKS, name)
    card = read_card(folder)
    assert card["weights_sha256"] == weights_sha256(folder)
    assert card["licence"] == "Apache-2.0"
    assert card["training"]["generator_version"] == GENERATOR_VERSION
    assert card["held_out"]["scene_seed"] != card["training"]["scene_seed"]
    rule = RECIPES[name].rule
    stated = card["preprocessing"]
    assert ResizeRule(stated["input_px"], stated["multiple"]) == rule


def test_depth_weights_load_as_any_depth_model():
    network = AutoModelForDepthEstimation.from_pretrained(DEPTH)
    assert isinstance(network, DepthAnythingForDepthEstimation)
    assert network.dtype == torch.float32


def test_segment_weights_load_as_any_semantic_model_with_named_classes():
    network = AutoModelForSemanticSegmentation.from_pretrained(SEGMENT)
    assert isinstance(network, SegformerForSemanticSegmentation)
    assert tuple(network.config.id2label[k] for k in range(len(LABELS))) == LABELS
    assert LABELS[:2] == ("background", "red sphere")


def test_depth_network_orders_pixels_and_objects_of_unseen_scenes(unseen: HeldOut):
    figures = depth_figures(load_depth_network(DEPTH), unseen)
    assert figures.spearman_mean >= 0.9
    assert figures.order_correct >= 0.95
    assert figures.pairs_decided >= 0.6 * figures.pairs


def test_segment_network_finds_solids_of_unseen_scenes(unseen: HeldOut):
    figures = segment_figures(load_segment_network(SEGMENT), unseen)
    assert figures.mean_iou >= 0.7
    assert figures.objects_named >= 0.8


@pytest.mark.parametrize(
    ("rule", "size", "expected"),
    [
        (DEPTH_RULE, (256, 192), (168, 126)),
        (DEPTH_RULE, (192, 256), (126, 168)),
        (DEPTH_RULE, (640, 427), (182, 126)),
        (SEGMENT_RULE, (256, 192), (256, 192)),
        (SEGMENT_RULE, (640, 427), (288, 192)),
    ],
)
def test_resize_rule_gives_short_side_and_multiples(
    rule: ResizeRule, size: tuple[int, int], expected: tuple[int, int]
):
    assert rule.size(*size) == expected
    assert resized(np.zeros((size[1], size[0], 3), np.uint8), rule).shape[1::-1] == expected


def test_aligned_loss_scale_and_shift_do_not_matter():
    torch.manual_seed(0)
    truth, weight = torch.rand(2, 12, 16), torch.ones(2, 12, 16)
    assert aligned_loss(3 * truth + 7, truth, weight).item() == pytest.approx(0, abs=1e-5)
    assert aligned_loss(-truth, truth, weight).item() > 0.5


def test_overlap_loss_right_classes_cost_less():
    labels = torch.tensor([[[0, 1], [2, 0]]])
    right = 8 * functional.one_hot(labels, 3).permute(0, 3, 1, 2).float()
    assert overlap_loss(right, labels) < 0.1 < overlap_loss(right.roll(1, dims=1), labels)


def test_rate_share_rises_then_falls_to_zero():
    shares = [rate_share(step, 1000) for step in range(1, 1001)]
    assert max(shares) == shares[100]
    assert shares[0] < 0.02
    assert shares[-1] == pytest.approx(0)


def test_label_map_names_every_solid_by_colour_and_shape():
    scene = sample_scene(0, 0, SceneParams(n=1))
    rendered = render(scene)
    labels = label_map(scene, rendered)
    for number, solid in enumerate(scene.solids, start=1):
        words = {LABELS[k] for k in np.unique(labels[rendered.instance == number])}
        assert words == {f"{solid.colour.value} {solid.shape.value}"}
    assert (labels[rendered.instance == 0] == 0).all()


def test_weights_sha256_is_that_of_the_file(tmp_path: Path):
    (tmp_path / "model.safetensors").write_bytes(b"abc")
    assert weights_sha256(tmp_path).startswith("ba7816bf8f01cfea")
