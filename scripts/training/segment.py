"""The tiny segmenter: a SegFormer with one class per colour and shape.

Trained with class-weighted cross-entropy plus dice, so that small and rare solids count.
"""

from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
import torch
from torch import nn
from torch.nn import functional
from transformers import SegformerConfig, SegformerForSemanticSegmentation

from scripts.training.augment import mirrored, recoloured
from scripts.training.cache import TrainingSet
from scripts.training.labels import LABELS
from scripts.training.loop import Schedule, Task, trained
from scripts.training.preprocess import normalised

BACKGROUND_WEIGHT: Final = 0.25
"""Background is about 90 % of the pixels."""

STRIDE: Final = 2
"""The loss is taken on every second pixel, from a random corner: a quarter of the cost, no bias."""


def train_segment(data: TrainingSet, steps: int, seed: int) -> nn.Module:
    """A network trained from scratch on `data`."""
    torch.manual_seed(seed)
    network = new_segment_network()
    schedule = Schedule(steps=steps, seed=seed, batch=16, peak_rate=2e-3)

    def loss(
        net: nn.Module,
        scenes: npt.NDArray[np.intp],
        random: np.random.Generator,
    ) -> torch.Tensor:
        return _batch_loss(net, data, scenes, random)

    return trained(Task(network, len(data.rgb), loss), schedule)


def new_segment_network() -> nn.Module:
    """The architecture with random weights, about 0.5 million parameters."""
    config = SegformerConfig(
        depths=[1, 1, 2, 2],
        sr_ratios=[8, 4, 2, 1],
        hidden_sizes=[24, 40, 64, 96],
        num_attention_heads=[1, 2, 2, 4],
        mlp_ratios=[2, 2, 2, 2],
        decoder_hidden_size=64,
        drop_path_rate=0.0,
        classifier_dropout_prob=0.0,
        id2label=dict(enumerate(LABELS)),
        label2id={label: number for number, label in enumerate(LABELS)},
    )
    network: nn.Module = SegformerForSemanticSegmentation(config)
    return network


def load_segment_network(folder: Path) -> nn.Module:
    """The committed weights, ready for inference."""
    network: nn.Module = SegformerForSemanticSegmentation.from_pretrained(folder)
    return network.eval()


def _batch_loss(
    network: nn.Module,
    data: TrainingSet,
    scenes: npt.NDArray[np.intp],
    random: np.random.Generator,
) -> torch.Tensor:
    """Loss of one augmented batch."""
    rgb = torch.from_numpy(data.rgb[scenes])
    labels = torch.from_numpy(data.labels[scenes].astype(np.int64))
    rgb, labels = mirrored([rgb, labels], random)
    logits = network(pixel_values=normalised(recoloured(rgb, random))).logits
    row, column = random.integers(0, STRIDE, size=2)
    height, width = labels.shape[1] // STRIDE, labels.shape[2] // STRIDE
    finer = functional.interpolate(logits, size=(height, width), mode="bilinear")
    return overlap_loss(finer, labels[:, row::STRIDE, column::STRIDE])


def overlap_loss(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Cross-entropy plus dice over the batch; logits (B, C, H, W), labels (B, H, W)."""
    classes = logits.shape[1]
    weight = torch.ones(classes)
    weight[0] = BACKGROUND_WEIGHT
    entropy = functional.cross_entropy(logits, labels, weight=weight)
    probabilities = logits.softmax(dim=1).permute(1, 0, 2, 3).flatten(1)
    truth = functional.one_hot(labels.flatten(), classes).T.to(probabilities.dtype)
    overlap, total = (probabilities * truth).sum(1), probabilities.sum(1) + truth.sum(1)
    present = truth.sum(1) > 0
    dice = 1 - (2 * overlap[present] / total[present]).mean()
    return entropy + 0.5 * dice
