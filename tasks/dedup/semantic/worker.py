"""The worker that turns texts into `embeddings` rows, once per text and model."""

import pyarrow as pa

from infra.checkpoints import resolve
from tasks.dedup.semantic.model import EmbeddingModel
from tasks.dedup.semantic.rows import embedding_rows, items_of
from tasks.vision.device import use_threads


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
        items = [item for item in items_of(batch) if item.text.strip()]
        texts = sorted({item.text for item in items})
        embeddings = self._model.embed(texts)
        place = {text: number for number, text in enumerate(texts)}
        return embedding_rows(
            items,
            [embeddings[place[item.text]] for item in items],
            model=self._checkpoint.name,
            weights_sha=self._checkpoint.weights_sha,
        )
