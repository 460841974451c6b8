"""The depth worker with a log: one line per image, written before it is computed.

What a killed worker costs is read from this log and not from what the pool believes.
"""

import os
from pathlib import Path
from typing import Any

import pyarrow as pa

from infra.pool.workers import WorkerOutput
from tasks.depth.worker import DepthWorker


class CountedDepthWorker(DepthWorker):
    """Writes `<pid> <image_id>` to a file for every image it is given."""

    def __init__(self, log: str, **options: Any) -> None:
        """Load the network.

        Args:
            log: file that all workers append to.
            options: of `DepthWorker`.
        """
        super().__init__(**options)
        self._log = Path(log)

    def __call__(self, batch: pa.Table) -> WorkerOutput:
        """Count the images and annotate them."""
        lines = "".join(f"{os.getpid()} {name}\n" for name in batch["image_id"].to_pylist())
        with self._log.open("a") as log:
            log.write(lines)
        return super().__call__(batch)
