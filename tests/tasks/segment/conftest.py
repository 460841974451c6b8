from pathlib import Path

import pytest

from tests import tiny_networks

LABELS = ("background", "red sphere", "blue box")


@pytest.fixture(scope="session")
def tiny_segmenter(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A saved SegFormer of random weights with three labels."""
    import torch
    from transformers import SegformerConfig, SegformerForSemanticSegmentation

    torch.manual_seed(0)
    config = SegformerConfig(
        depths=[1, 1, 1, 1],
        hidden_sizes=[8, 8, 8, 8],
        num_attention_heads=[1, 1, 1, 1],
        decoder_hidden_size=8,
        id2label=dict(enumerate(LABELS)),
        label2id={label: number for number, label in enumerate(LABELS)},
    )
    folder = tmp_path_factory.mktemp("tiny-segmenter")
    SegformerForSemanticSegmentation(config).save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def tiny_sam2(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_networks.sam2(tmp_path_factory.mktemp("tiny-sam2"))


@pytest.fixture(scope="session", params=["mask2former", "maskformer", "oneformer"])
def tiny_universal(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    folder = tmp_path_factory.mktemp(f"tiny-{request.param}")
    saved: Path = getattr(tiny_networks, request.param)(folder)
    return saved
