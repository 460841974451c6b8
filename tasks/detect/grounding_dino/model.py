"""Grounding DINO: boxes for phrases of one text, `a cat. a dog.` in lower case.

A box has a score for every token of the text.  Its score is the best of them, its query the one
whose tokens hold the best, its label all its words over `min_text_score` (the phrase as the authors
read it, `groundingdino/util/inference.py`).  Texts are limited to 256 tokens, so many queries are
asked in several passes; a query competes with the others of its pass only.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import torch
from transformers import GroundingDinoForObjectDetection

from sightline.errors import CheckpointError
from tasks.detect.boxes import Candidates, corners
from tasks.detect.params import DetectParams
from tasks.detect.queries import character_spans, grouped, joined
from tasks.vision.batching import BatchSizes
from tasks.vision.device import Arrays, Device
from tasks.vision.driven import DrivenNetwork
from tasks.vision.loading import load_network
from tasks.vision.pictures import Picture, Size
from tasks.vision.published import statistics
from tasks.vision.resampling import BILINEAR, ResampledPixels
from tasks.vision.runner import Runner
from tasks.vision.sizes import shorter_side_to
from tasks.vision.words import load_tokenizer

LONGEST_PER_SHORTEST: Final = 1333 / 800
"""Of the published preprocessing (`groundingdino/util/inference.py`, `RandomResize`)."""
PIXELS_PER_PASS: Final = {"cpu": 800 * 1333, "cuda": 16 * 800 * 1333}
"""A larger pass is not faster."""
EXPECTED: Final = "a Grounding DINO network"
FULL_STOP: Final = 1012
"""One of `SPECIAL_TOKENS` in `modeling_grounding_dino.py`, which are constants there."""
ENDS: Final = 2
"""The tokens that begin and end every text."""


@dataclass(frozen=True, slots=True)
class _Prompt:
    """One text.

    Attributes:
        inputs: token tensors of one row, as the network takes them.
        ids: the tokens.
        queries: numbers of the queries in it.
        spans: (n, tokens) bool, the tokens of each.
    """

    inputs: dict[str, torch.Tensor]
    ids: tuple[int, ...]
    queries: npt.NDArray[np.intp]
    spans: npt.NDArray[np.bool_]


class GroundingDinoNetwork(DrivenNetwork):
    """A loaded network with what it is asked."""

    def __init__(self, folder: Path, device: Device, params: DetectParams) -> None:
        """Load.

        Args:
            folder: of the checkpoint.
            device: to compute on.
            params: queries as `checked_queries` gives them, scores, and the size of the input.

        Raises:
            CheckpointError: not a whole Grounding DINO network, or its tokenizer is missing.
            RecipeError: a query is too long.
        """
        net = load_network(
            GroundingDinoForObjectDetection, folder, EXPECTED, model_types=("grounding-dino",)
        )
        self._tokenizer = _tokenizer_of(folder)
        longest = int(net.config.max_text_len)
        self._prompts = _prompts(self._tokenizer, params.queries, longest, device)
        self._params = params
        self._net = device.place(net)
        pixels = ResampledPixels(device, BILINEAR, *statistics(folder))
        sizes = BatchSizes(PIXELS_PER_PASS[device.torch_device.type])
        super().__init__(Runner(device, pixels, sizes))

    def size(self, width: int, height: int) -> Size:
        """Return the network's input for a picture."""
        shortest = self._params.input_px
        return shorter_side_to(width, height, shortest, round(shortest * LONGEST_PER_SHORTEST))

    def compute(self, pixels: torch.Tensor, pictures: Sequence[Picture]) -> list[torch.Tensor]:
        """Return (N, n, tokens) scores and (N, n, 4) centred boxes of each prompt."""
        computed = []
        for prompt in self._prompts:
            asked = {name: row.expand(len(pictures), -1) for name, row in prompt.inputs.items()}
            out = self._net(pixel_values=pixels, **asked)
            tokens = out.logits[:, :, : len(prompt.ids)].float().sigmoid()
            computed += [tokens, out.pred_boxes.float()]
        return computed

    def said(self, arrays: Arrays, pictures: Sequence[Picture]) -> list[Candidates]:
        """Return the boxes of each picture, of all prompts together."""
        pairs = list(zip(arrays[::2], arrays[1::2], strict=True))
        return [
            _together(
                [
                    self._read(prompt, tokens[n], boxes[n])
                    for prompt, (tokens, boxes) in zip(self._prompts, pairs, strict=True)
                ]
            )
            for n in range(len(pictures))
        ]

    def _read(
        self, prompt: _Prompt, tokens: npt.NDArray[np.float32], boxes: npt.NDArray[np.float32]
    ) -> Candidates:
        likely = tokens.max(axis=1) > (self._params.min_score or 0.0)
        tokens = tokens[likely]
        by_query = np.where(prompt.spans[None], tokens[:, None, :], 0.0).max(axis=2)
        over = (tokens > self._params.min_text_score) & prompt.spans.any(axis=0)
        return Candidates(
            corners(boxes[likely]),
            tokens.max(axis=1),
            prompt.queries[by_query.argmax(axis=1)],
            [self._phrase(prompt.ids, words) for words in over],
        )

    def _phrase(self, ids: Sequence[int], over: npt.NDArray[np.bool_]) -> str:
        chosen = [token for token, is_over in zip(ids, over, strict=True) if is_over]
        return str(self._tokenizer.decode(chosen)).strip() if chosen else ""


def _together(parts: Sequence[Candidates]) -> Candidates:
    return Candidates(
        np.concatenate([part.boxes for part in parts]),
        np.concatenate([part.scores for part in parts]),
        np.concatenate([part.queries for part in parts]),
        [label for part in parts for label in part.labels],
    )


def _tokenizer_of(folder: Path) -> Any:
    """Return the tokenizer, whose full stop must be the one that the network parts phrases at."""
    tokenizer = load_tokenizer(folder, EXPECTED)
    found = tokenizer.convert_tokens_to_ids(".")
    if found != FULL_STOP:
        msg = (
            f"{folder}: expected a tokenizer of BERT with token {FULL_STOP} for '.', found {found}"
        )
        raise CheckpointError(msg)
    return tokenizer


def _prompts(tokenizer: Any, queries: Sequence[str], most: int, device: Device) -> list[_Prompt]:
    counts = [len(tokenizer(f"{query}.")["input_ids"]) - ENDS for query in queries]
    groups = grouped(queries, counts, most - ENDS)
    return [_prompt(tokenizer, [queries[n] for n in group], group, device) for group in groups]


def _prompt(
    tokenizer: Any, queries: Sequence[str], numbers: Sequence[int], device: Device
) -> _Prompt:
    said = tokenizer(joined(queries), return_tensors="pt", return_offsets_mapping=True)
    starts, ends = said.pop("offset_mapping")[0].numpy().T
    spans = np.asarray([(starts < end) & (ends > start) for start, end in character_spans(queries)])
    names = ("input_ids", "token_type_ids", "attention_mask")
    inputs = {name: said[name].to(device.torch_device) for name in names if name in said}
    ids = tuple(said["input_ids"][0].tolist())
    return _Prompt(inputs, ids, np.asarray(numbers, dtype=np.intp), spans)
