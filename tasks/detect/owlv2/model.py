"""OWLv2: boxes for queries that are embedded once, `a photo of a ...`.

The square that the network sees is the picture padded below and to the right, so boxes come in
fractions of the longer side.  The score of a box is the sigmoid of its best query.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from transformers import Owlv2ForObjectDetection

from tasks.detect.boxes import Candidates, corners
from tasks.vision.batching import BatchSizes
from tasks.vision.device import Arrays, Device
from tasks.vision.driven import DrivenNetwork
from tasks.vision.loading import load_network
from tasks.vision.pictures import Picture, Size
from tasks.vision.published import CLIP, statistics
from tasks.vision.resampling import PADDED_SQUARE, ResampledPixels
from tasks.vision.runner import Runner
from tasks.vision.words import load_tokenizer

TEMPLATE: Final = "a photo of a {}"
"""The form of the queries in the documentation of the weights."""
PIXELS_PER_PASS: Final = {"cpu": 2 * 960 * 960, "cuda": 32 * 960 * 960}
"""A larger pass is not faster."""
EXPECTED: Final = "an OWLv2 network"


class Owlv2Network(DrivenNetwork):
    """A loaded network with what it is asked."""

    def __init__(self, folder: Path, device: Device, queries: Sequence[str]) -> None:
        """Load, and embed the queries.

        Args:
            folder: of the checkpoint.
            device: to compute on.
            queries: from `checked_queries`.

        Raises:
            CheckpointError: not a whole OWLv2 network, or its tokenizer is missing.
        """
        net = load_network(Owlv2ForObjectDetection, folder, EXPECTED, model_types=("owlv2",))
        self._side = int(net.config.vision_config.image_size)
        self._queries = list(queries)
        embedded = _embedded(net, folder, queries)
        self._embedded = embedded.to(device.torch_device)
        self._net = device.place(net)
        pixels = ResampledPixels(device, PADDED_SQUARE, *statistics(folder, CLIP))
        sizes = BatchSizes(PIXELS_PER_PASS[device.torch_device.type])
        super().__init__(Runner(device, pixels, sizes))

    def size(self, width: int, height: int) -> Size:
        """Return the network's square."""
        del width, height
        return (self._side, self._side)

    def compute(self, pixels: torch.Tensor, pictures: Sequence[Picture]) -> list[torch.Tensor]:
        """Return (N, n) scores and numbers of queries, and (N, n, 4) centred boxes."""
        features, _ = self._net.image_embedder(pixels)
        count, rows, columns, width = features.shape
        flat = features.reshape(count, rows * columns, width)
        asked = self._embedded.expand(len(pictures), -1, -1)
        logits, _ = self._net.class_predictor(flat, asked)
        best, queries = logits.float().max(dim=-1)
        boxes = self._net.box_predictor(flat, features).float()
        return [best.sigmoid(), queries, boxes]

    def said(self, arrays: Arrays, pictures: Sequence[Picture]) -> list[Candidates]:
        """Return the boxes of each picture."""
        scores, queries, boxes = arrays
        return [
            Candidates(
                corners(boxes[n]) * _longer_sides(picture),
                scores[n],
                queries[n],
                [self._queries[q] for q in queries[n].tolist()],
            )
            for n, picture in enumerate(pictures)
        ]


def _longer_sides(picture: Picture) -> np.ndarray:
    """Return the factors from fractions of the padded square to fractions of the picture."""
    longer = max(picture.width, picture.height)
    across, down = longer / picture.width, longer / picture.height
    return np.asarray([across, down, across, down])


@torch.inference_mode()
def _embedded(net: Any, folder: Path, queries: Sequence[str]) -> torch.Tensor:
    """Return (1, queries, d) unit vectors."""
    tokenizer = load_tokenizer(folder, EXPECTED)
    texts = tokenizer(
        [TEMPLATE.format(query) for query in queries],
        padding="max_length",
        truncation=True,
        max_length=net.config.text_config.max_position_embeddings,
        return_tensors="pt",
    )
    said = net.owlv2.get_text_features(
        input_ids=texts["input_ids"], attention_mask=texts["attention_mask"]
    )
    vectors: torch.Tensor = getattr(said, "pooler_output", said)
    units: torch.Tensor = vectors / vectors.norm(dim=-1, keepdim=True)
    return units[None]
