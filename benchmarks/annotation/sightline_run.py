"""Sightline end to end: encoded pictures in the lake to committed Parquet.

The way is that of a build without Prefect: `annotate_images` per part, several parts at once, a
pool in this process.  Every run begins with a fresh copy of the lake, made before the clock
starts; the pool and its loaded network stay, as they do between the parts of a build.
"""

import os
import shutil
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from itertools import count
from pathlib import Path
from typing import Final

import torch

from benchmarks.annotation.job import Job
from infra.annotation import annotate_images
from infra.execution import PartResult, RunContext
from infra.lake.lake import Lake
from infra.pool.local_pool import LocalPool
from infra.pool.services import ServingPool
from infra.pool.workers import Placement
from sightline.schemas import DEPTH_MAPS
from tasks.depth.params import DepthParams
from tasks.depth.task import DEPTH

OBJECT_STORE_MB: Final = 2000
"""Batches on their way to workers and back: many more than a laptop's default holds."""


def opened(job: Job) -> ServingPool:
    """Return the pool of a job; its workers share the cores and the GPU evenly."""
    if job.pool == "local":
        return LocalPool(Placement(workers=job.workers))
    from infra.pool.ray_pool import RayPool, RaySetup  # noqa: PLC0415 - imports Ray

    placement = Placement(
        workers=job.workers,
        num_cpus=len(os.sched_getaffinity(0)) / job.workers,
        num_gpus=(torch.cuda.device_count() > 0) / job.workers,
    )
    return RayPool(placement, RaySetup(object_store_mb=OBJECT_STORE_MB))


class SightlineRun:
    """One pool, and runs over fresh copies of one lake."""

    def __init__(self, job: Job) -> None:
        """Open the pool and build its workers on a small part."""
        self._job = job
        self._pool = opened(job)
        self._params = DepthParams(
            weights=job.checkpoint, input_px=job.side, precision=job.precision
        )
        self._numbers = count()
        self._fresh = self._copied()
        self.facts = {
            "pool": job.pool,
            "workers": job.workers,
            "parts": len(job.parts),
            "parts_in_flight": job.in_flight,
            "parameters": asdict(self._params),
        }
        self._annotated(job.warm_part, self._context())

    def prepare(self) -> None:
        """Copy the lake for the next run."""
        self._fresh = self._copied()

    def run(self) -> int:
        """Annotate every part and return how many maps were committed.

        Raises:
            RuntimeError: a picture failed.
        """
        context = self._context()
        with ThreadPoolExecutor(self._job.in_flight) as threads:
            done = list(threads.map(lambda part: self._annotated(part, context), self._job.parts))
        failed = sum(result.failed for result in done)
        if failed:
            msg = f"{failed} pictures failed; see the failures of {self._fresh}"
            raise RuntimeError(msg)
        return sum(part.rows for part in context.lake.parts(DEPTH_MAPS))

    def stored_bytes(self) -> int:
        """Return the length of the maps that the last run committed."""
        lake = Lake(self._fresh)
        return sum(
            sum(len(value.as_py()) for value in batch["depth"])
            for batch in lake.scan(DEPTH_MAPS, columns=["depth"])
        )

    def close(self) -> None:
        """End the pool."""
        self._pool.close()

    def _context(self) -> RunContext:
        return RunContext(lake=Lake(self._fresh), recipe="benchmark", recipe_identity="0")

    def _annotated(self, part: str, context: RunContext) -> PartResult:
        return annotate_images(part, DEPTH, asdict(self._params), context, self._pool)

    def _copied(self) -> Path:
        target = Path(self._job.scratch) / f"lake-{next(self._numbers)}"
        return Path(shutil.copytree(self._job.lake, target))
