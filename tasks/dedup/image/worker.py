"""The worker that turns stored images into `image_keys` rows."""

import pyarrow as pa

from infra.pool.workers import WorkerOutput


class ImageKeyWorker:
    """Callable on tables with `image_id`, `bytes` and `phash`; gives `image_keys` rows."""

    def __call__(self, batch: pa.Table) -> WorkerOutput:
        """Return a row per readable picture, in the batch's order."""
        raise NotImplementedError
