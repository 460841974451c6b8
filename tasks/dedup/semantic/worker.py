"""The worker that turns texts into `embeddings` rows, once per text and model."""

import hashlib

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from infra.checkpoints import resolve
from sightline.schemas import EMBEDDINGS
from tasks.dedup.semantic.model import EmbeddingModel, use_threads


class EmbeddingWorker:
    """Callable on tables with `item_id`, `item_kind` and `text`; gives `embeddings` rows.

    A row without text, or with white space alone, has no embedding and gives no row.
    """

    def __init__(
        self, weights: str, max_tokens: int = 512, device: str = "auto", threads: int = 0
    ) -> None:
        """Load the encoder.

        Args:
            weights: any form `infra.checkpoints` resolves.
            max_tokens: longer texts are cut here.
            device: auto, cpu, cuda or cuda:N.
            threads: cores to compute on; 0 leaves torch's default.

        Raises:
            CheckpointError: the weights are missing, incomplete or of another kind.
        """
        use_threads(threads)
        self._checkpoint = resolve(weights)
        folder = self._checkpoint.folder
        self._model = EmbeddingModel(folder, max_tokens=max_tokens, device=device)

    def __call__(self, batch: pa.Table) -> pa.Table:
        """Return a row per text, in the batch's order; equal texts are embedded once."""
        rows = [row for row in batch.to_pylist() if row["text"] and row["text"].strip()]
        texts = sorted({row["text"] for row in rows})
        embeddings = self._model.embed(texts)
        place = {text: number for number, text in enumerate(texts)}
        return embedding_rows(
            rows,
            embeddings[[place[row["text"]] for row in rows]],
            model=self._checkpoint.name,
            weights_sha=self._checkpoint.weights_sha,
        )


def embedding_rows(
    rows: list[dict[str, str]],
    embeddings: npt.NDArray[np.float32],
    *,
    model: str,
    weights_sha: str | None,
) -> pa.Table:
    """Return `embeddings` payload rows of (n, d) embeddings."""
    return EMBEDDINGS.rows(
        {
            "item_id": row["item_id"],
            "item_kind": row["item_kind"],
            "model": model,
            "weights_sha": weights_sha,
            "text_sha256": hashlib.sha256(row["text"].encode("utf-8", "surrogatepass")).hexdigest(),
            "embedding": vector.tolist(),
        }
        for row, vector in zip(rows, embeddings, strict=True)
    )
