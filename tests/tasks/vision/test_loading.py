"""Checkpoints that are not what they should be, each with a message that says so."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file, save_file
from transformers import (
    AutoModelForSemanticSegmentation,
    DepthAnythingForDepthEstimation,
    SegformerConfig,
    SegformerForSemanticSegmentation,
)

from sightline.errors import CheckpointError
from tasks.vision.loading import load_network
from tests.tasks.depth import seeded

WEIGHTS = "model.safetensors"


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("whole")
    seeded.network("relative").save_pretrained(folder)
    return folder


@pytest.fixture
def folder(whole: Path, tmp_path: Path) -> Path:
    return shutil.copytree(whole, tmp_path, dirs_exist_ok=True)


def load(folder: Path, **options: Any) -> Any:
    return load_network(DepthAnythingForDepthEstimation, folder, "a depth network", **options)


def rewrite(folder: Path, **changes: np.ndarray | None) -> None:
    tensors = load_file(folder / WEIGHTS) | changes
    kept = {name: tensor for name, tensor in tensors.items() if tensor is not None}
    save_file(kept, folder / WEIGHTS, {"format": "pt"})


def test_whole_checkpoint_loads_in_fp32_ready_to_run(folder: Path):
    net = load(folder, model_types=("depth_anything",))
    assert not net.training
    assert {p.dtype for p in net.parameters()} == {torch.float32}


def test_half_precision_checkpoint_loads_in_fp32(folder: Path):
    load(folder).half().save_pretrained(folder)
    assert {p.dtype for p in load(folder).parameters()} == {torch.float32}


def test_missing_tensor_is_an_error_unless_it_may_be_missing(folder: Path):
    rewrite(folder, **{"head.conv2.bias": None})
    with pytest.raises(CheckpointError, match=r"1 tensors \['head.conv2.bias'\] missing"):
        load(folder)
    load(folder, untrained=("head.conv2",))


def test_misshapen_tensor_is_an_error(folder: Path):
    rewrite(folder, **{"head.conv2.bias": np.zeros(5, dtype=np.float32)})
    with pytest.raises(CheckpointError, match=r"head\.conv2\.bias"):
        load(folder)


def test_many_missing_tensors_are_counted(folder: Path):
    rewrite(folder, **{name: None for name in load_file(folder / WEIGHTS) if "neck" in name})
    with pytest.raises(CheckpointError, match=r"and \d\d more"):
        load(folder)


def test_checkpoint_of_another_kind_is_an_error(folder: Path, tmp_path: Path):
    config = SegformerConfig(hidden_sizes=[8, 8, 8, 8], num_attention_heads=[1, 1, 1, 1])
    other = tmp_path / "other"
    SegformerForSemanticSegmentation(config).save_pretrained(other)
    with pytest.raises(CheckpointError, match="a depth network"):
        load(other, model_types=("depth_anything",))
    with pytest.raises(CheckpointError, match="a segmenter"):
        load_network(AutoModelForSemanticSegmentation, folder, "a segmenter")


def test_configuration_that_does_not_fit_the_weights_is_an_error(folder: Path):
    text = (folder / "config.json").read_text()
    (folder / "config.json").write_text(text.replace('"hidden_size": 16', '"hidden_size": 32'))
    with pytest.raises(CheckpointError, match="misshapen"):
        load(folder)


def test_pickled_weights_are_not_read(folder: Path):
    net = load(folder)
    (folder / WEIGHTS).unlink()
    torch.save(net.state_dict(), folder / "pytorch_model.bin")
    with pytest.raises(CheckpointError, match="expected a depth network"):
        load(folder)
