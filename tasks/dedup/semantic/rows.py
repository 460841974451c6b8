"""Texts in, rows of `embeddings` out: what a local model and an endpoint share."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from sightline.schemas import EMBEDDINGS


@dataclass(frozen=True, slots=True)
class Item:
    """A text to be embedded; empty if there is none."""

    item_id: str
    item_kind: str
    text: str


def items_of(batch: pa.Table) -> list[Item]:
    """Return the items of a table with `item_id`, `item_kind` and `text`."""
    return [
        Item(row["item_id"], row["item_kind"], row["text"] or "")
        for row in batch.select(["item_id", "item_kind", "text"]).to_pylist()
    ]


def embedding_rows(
    items: Iterable[Item],
    vectors: Iterable[npt.NDArray[np.float32]],
    *,
    model: str,
    weights_sha: str | None,
) -> pa.Table:
    """Return `embeddings` payload rows, one per item."""
    return EMBEDDINGS.rows(
        {
            "item_id": item.item_id,
            "item_kind": item.item_kind,
            "model": model,
            "weights_sha": weights_sha,
            "text_sha256": hashlib.sha256(item.text.encode("utf-8", "surrogatepass")).hexdigest(),
            "embedding": vector.tolist(),
        }
        for item, vector in zip(items, vectors, strict=True)
    )
