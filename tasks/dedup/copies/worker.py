"""The worker that turns stored images into `embeddings` rows.

Rows come out in the order they came in; a picture that cannot be decoded is a failure of its own
row only.
"""

from typing import Any

import pyarrow as pa

from infra.checkpoints import resolve
from infra.images.decode import ImageProblem, decode
from infra.pool.workers import RowFailure, WorkerOutput
from sightline.schemas import EMBEDDINGS
from tasks.dedup.copies.model import ImageEmbeddingModel
from tasks.dedup.copies.pictures import RGB, square
from tasks.vision.device import use_threads


class ImageEmbeddingWorker:
    """Callable on tables with `image_id` and `bytes`; gives `embeddings` rows."""

    def __init__(
        self, weights: str, input_px: int = 224, device: str = "auto", threads: int = 0
    ) -> None:
        """Load the encoder.

        Args:
            weights: any form `infra.checkpoints` resolves.
            input_px: sides of the square a picture is brought to.
            device: auto, cpu, cuda or cuda:N.
            threads: cores to compute on; 0 leaves torch's default.

        Raises:
            CheckpointError: the weights are missing, incomplete or of another kind.
        """
        use_threads(threads)
        self._checkpoint = resolve(weights)
        folder = self._checkpoint.folder
        self._model = ImageEmbeddingModel(folder, input_px=input_px, device=device)

    def __call__(self, batch: pa.Table) -> WorkerOutput:
        """Return a row per readable picture, in the batch's order."""
        squares: dict[str, RGB] = {}
        failures: list[RowFailure] = []
        for row in batch.select(["image_id", "bytes"]).to_pylist():
            try:
                squares[row["image_id"]] = square(decode(row["bytes"]).rgb, self._model.input_px)
            except ImageProblem as problem:
                failures.append(RowFailure(row["image_id"], problem.code, problem.detail))
        return WorkerOutput(EMBEDDINGS.rows(self._rows(squares)), tuple(failures))

    def _rows(self, squares: dict[str, RGB]) -> list[dict[str, Any]]:
        vectors = self._model.embed([*squares.values()]) if squares else ()
        return [
            {
                "item_id": image,
                "item_kind": "image",
                "model": self._checkpoint.name,
                "weights_sha": self._checkpoint.weights_sha,
                "text_sha256": image,
                "embedding": vector.tolist(),
            }
            for image, vector in zip(squares, vectors, strict=True)
        ]
