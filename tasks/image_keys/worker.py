"""The worker that turns stored images into `image_keys` rows.

Rows come out in the order they came in; a picture that cannot be decoded is a failure of its own
row only.
"""

from typing import Any

import pyarrow as pa

from infra.images.decode import ImageProblem
from infra.pool.workers import RowFailure, WorkerOutput
from sightline.schemas import IMAGE_KEYS
from tasks.image_keys.keys import KEY_ALGORITHM, image_key
from tasks.image_keys.views import VIEW_NAMES

FACTORY = "tasks.image_keys.worker:ImageKeyWorker"
"""For a `WorkerSpec`."""


class ImageKeyWorker:
    """Callable on tables with `image_id`, `bytes` and `phash`; gives `image_keys` rows."""

    def __call__(self, batch: pa.Table) -> WorkerOutput:
        """Return a row per readable picture, in the batch's order."""
        rows: list[dict[str, Any]] = []
        failures: list[RowFailure] = []
        for row in batch.select(["image_id", "bytes", "phash"]).to_pylist():
            try:
                rows.append(_row(row["image_id"], row["bytes"], row["phash"]))
            except ImageProblem as problem:
                failures.append(RowFailure(row["image_id"], problem.code, problem.detail))
        return WorkerOutput(IMAGE_KEYS.rows(rows), tuple(failures))


def _row(image_id: str, data: bytes, phash: str | None) -> dict[str, Any]:
    key = image_key(data, phash)
    return {
        "image_id": image_id,
        "algorithm": KEY_ALGORITHM,
        "phash": key.phash,
        "view_hashes": key.view_hashes.tolist(),
        "view_names": list(VIEW_NAMES),
        "is_photo": key.is_photo,
    }
