"""A text encoder of transformers: the one place of this family that knows torch.

The embedding of a text is the mean of its last hidden states, as sentence encoders are trained
(arXiv:1908.10084), of length 1.  Texts are batched by their exact number of tokens: padding would
change the numbers, and with them what a re-run finds.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import torch
from transformers import AutoModel

from tasks.vision.device import torch_device
from tasks.vision.loading import load_network
from tasks.vision.words import load_tokenizer

Embeddings = npt.NDArray[np.float32]

BATCH_TOKENS: Final = 16_384
"""Tokens of one forward pass."""
UNTRAINED: Final = ("pooler",)
"""Heads that many encoders are saved without; the mean does not use them."""


class EmbeddingModel:
    """A loaded encoder with its tokenizer.

    Attributes:
        dimensions: length of an embedding.
    """

    def __init__(self, folder: Path, *, max_tokens: int, device: str = "auto") -> None:
        self._device = torch_device(device)
        self._tokenizer, self._net = _load(folder)
        self._net.to(self._device).eval()
        self._max_tokens = min(max_tokens, _positions(self._net.config))
        self.dimensions: int = self._net.config.hidden_size

    @torch.inference_mode()
    def embed(self, texts: Sequence[str]) -> Embeddings:
        """Return (n, dimensions) float32 embeddings of length 1, in the order of the texts."""
        if not texts:
            return np.zeros((0, self.dimensions), dtype=np.float32)
        encoded = self._tokenizer(
            list(texts), truncation=True, max_length=self._max_tokens, padding=False
        )["input_ids"]
        found = np.zeros((len(texts), self.dimensions), dtype=np.float32)
        for rows in _batches([len(tokens) for tokens in encoded]):
            tokens = torch.tensor([encoded[row] for row in rows], device=self._device)
            hidden = self._net(input_ids=tokens, attention_mask=torch.ones_like(tokens))
            mean = hidden.last_hidden_state.float().mean(dim=1)
            found[rows] = torch.nn.functional.normalize(mean, dim=1).cpu().numpy()
        return found


def _batches(lengths: Sequence[int]) -> Iterator[list[int]]:
    """Yield rows of one length, at most `BATCH_TOKENS` tokens (or one row) at a time."""
    by_length: dict[int, list[int]] = {}
    for row, length in enumerate(lengths):
        by_length.setdefault(length, []).append(row)
    for length, rows in sorted(by_length.items()):
        if length:
            size = max(1, BATCH_TOKENS // length)
            yield from (rows[start : start + size] for start in range(0, len(rows), size))


def _positions(config: Any) -> int:
    return int(getattr(config, "max_position_embeddings", None) or 1 << 20)


def _load(folder: Path) -> tuple[Any, Any]:
    expected = "a text encoder"
    net = load_network(AutoModel, folder, expected, untrained=UNTRAINED)
    return load_tokenizer(folder, expected), net
