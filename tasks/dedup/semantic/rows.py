"""Texts in, rows of `embeddings` out: what a local model and an endpoint share."""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from sightline.schemas import EMBEDDINGS
from tasks.dedup.keys import decoded


@dataclass(frozen=True, slots=True)
class Item:
    """A text to be embedded; empty if there is none."""

    item_id: str
    item_kind: str
    text: str


def items_of(batch: pa.Table) -> list[Item]:
    """Return the items of a table with `item_id`, `item_kind` and `text`, which may be no UTF-8."""
    texts = batch["text"].cast(pa.large_binary()).to_pylist()
    ids, kinds = batch["item_id"].to_pylist(), batch["item_kind"].to_pylist()
    return [
        Item(item_id, kind, decoded(text or b""))
        for item_id, kind, text in zip(ids, kinds, texts, strict=True)
    ]


def embedding_rows(
    items: Iterable[Item],
    vectors: Iterable[npt.NDArray[np.float32]],
    *,
    model: str,
    weights_sha: str | None,
    request_keys: Sequence[str] | None = None,
) -> pa.Table:
    """Return `embeddings` payload rows, one per item.

    Args:
        items: with text.
        vectors: one per item.
        model: that made them.
        weights_sha: of its weights; null for an endpoint.
        request_keys: the call of each; null if nobody was asked.
    """
    listed = list(items)
    keys = [None] * len(listed) if request_keys is None else request_keys
    return EMBEDDINGS.rows(
        {
            "item_id": item.item_id,
            "item_kind": item.item_kind,
            "model": model,
            "weights_sha": weights_sha,
            "text_sha256": hashlib.sha256(item.text.encode("utf-8", "surrogatepass")).hexdigest(),
            "embedding": vector.tolist(),
            "request_key": key,
        }
        for item, vector, key in zip(listed, vectors, keys, strict=True)
    )
