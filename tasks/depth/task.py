"""Prefect task: a depth map for every image of one part of `images`."""

from dataclasses import asdict, dataclass

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
from infra.workers import Pool, WorkerSpec
from sightline.provenance import Step
from sightline.schemas import DEPTH_MAPS, IMAGES
from tasks.part_task import part_task

STEP = Step(name="depth", version=1)
BATCH_ROWS = 32
"""Images that travel to a worker together; the worker forms its own forward batches."""


@dataclass(frozen=True, slots=True)
class DepthParams:
    """What decides the depth values; where they are computed is the pool's business.

    Attributes:
        weights: `embedded:depth`, a folder, an object-store URI or a hub id.
        input_px: least short side of the network's input; a multiple of 14, 518 for the real ones.
        max_tokens: most patches of one picture; 0 for four squares of `input_px`.
        precision: auto, fp32 or bf16.
    """

    weights: str = "embedded:depth"
    input_px: int = 518
    max_tokens: int = 0
    precision: str = "auto"


@part_task(STEP.name)
def annotate_depth(part: str, params: DepthParams, context: RunContext, pool: Pool) -> PartResult:
    """Return what was done for `part`; a committed part is not computed again."""
    source = committed_part(context.lake, IMAGES, part)
    job = PartJob(
        step=STEP,
        part=part,
        identity=asdict(params) | {"weights_sha": resolve(params.weights).weights_sha},
        inputs=[source.fingerprint],
        outputs=[Output(DEPTH_MAPS, part)],
        rows_in=source.rows,
    )
    spec = WorkerSpec("tasks.depth.worker:DepthWorker", asdict(params))
    columns = ["image_id", "bytes"]
    return run_part(
        context,
        job,
        lambda: map_on_pool(
            pool,
            spec,
            context.lake.scan(IMAGES, parts=[part], columns=columns, batch_rows=BATCH_ROWS),
            STEP,
            DEPTH_MAPS,
        ),
    )
