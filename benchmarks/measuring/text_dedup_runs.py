"""Sightline's text tier as the benchmarks run it: keys, then verified leaders, row order first."""

from typing import Final

import numpy as np
import pyarrow as pa

from benchmarks.dedup_corpora.words import shingles_of, words_of
from benchmarks.measuring.decisions import Decisions
from tasks.dedup.settle.resolve import Settled, settle
from tasks.dedup.settle.salted import salted
from tasks.dedup.settle.similarity import Jaccard
from tasks.text_keys.keys import TextKeyParams, TextKeys, text_keys

PARAMS: Final = TextKeyParams()
"""The project's own; every peer with bands is run with the same number and size of bands."""


def settled(keys: TextKeys, tau: float, *, guard: bool = False) -> Settled:
    """Return who is dropped for whom; rows before others are kept first."""
    bands = salted(keys.bands, keys.guard) if guard else keys.bands
    similarity = Jaccard(keys.offsets, keys.shingles, keys.signature, tau)
    return settle(bands, keys.n_tokens > 0, np.arange(len(keys)), similarity)


def decide(
    texts: pa.Array, tau: float, *, guard: bool = False, params: TextKeyParams = PARAMS
) -> Decisions:
    """Return what Sightline decides about `texts`."""
    found = settled(text_keys(texts, params), tau, guard=guard)
    rows = np.arange(len(texts))
    return Decisions(found.is_kept, np.where(found.is_kept, rows, found.kept_by))


def token_differences(texts: list[str]) -> dict[str, int]:
    """Return how many rows the kernels cut otherwise than the plain tokeniser, of which kind."""
    keys = text_keys(pa.array(texts, pa.large_string()), PARAMS)
    sizes = np.diff(keys.offsets)
    ours = zip(keys.n_tokens.tolist(), sizes.tolist(), strict=True)
    plain = ((len(words_of(text)), len(shingles_of(text))) for text in texts)
    differs = [a != b for a, b in zip(ours, plain, strict=True)]
    ascii_rows = sum(d and text.isascii() for d, text in zip(differs, texts, strict=True))
    return {"ascii_rows": ascii_rows, "other_rows": sum(differs) - ascii_rows}
