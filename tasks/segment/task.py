"""Prefect task: the segments of every image of one part of `images`."""

from dataclasses import asdict

from infra.checkpoints import resolve
from infra.execution import (
    Output,
    PartJob,
    PartResult,
    RunContext,
    committed_part,
    map_on_pool,
    run_part,
)
from infra.pool.workers import Pool, WorkerSpec
from sightline.provenance import Step
from sightline.schemas import IMAGES, SEGMENTS
from tasks.part_task import part_task
from tasks.segment.params import SegmentParams

STEP = Step(name="segment", version=1)
BATCH_ROWS = 32
"""Images that travel to a worker together; the worker forms its own forward batches."""


@part_task(STEP.name)
def segment_images(part: str, params: SegmentParams, context: RunContext, pool: Pool) -> PartResult:
    """Return what was done for `part`; a committed part is not computed again."""
    source = committed_part(context.lake, IMAGES, part)
    job = PartJob(
        step=STEP,
        part=part,
        identity=asdict(params) | {"weights_sha": resolve(params.weights).weights_sha},
        inputs=[source.fingerprint],
        outputs=[Output(SEGMENTS, part)],
        rows_in=source.rows,
    )
    spec = WorkerSpec("tasks.segment.worker:SegmentWorker", asdict(params))
    columns = ["image_id", "bytes"]
    return run_part(
        context,
        job,
        lambda: map_on_pool(
            pool,
            spec,
            context.lake.scan(IMAGES, parts=[part], columns=columns, batch_rows=BATCH_ROWS),
            STEP,
            SEGMENTS,
        ),
    )
