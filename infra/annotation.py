"""A network over every image of a part: the one way depth and segmentation become rows.

What is computed (weights by their sha256, parameters) is the identity; where it is computed is the
pool's business.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

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
from sightline.schemas import IMAGES, Contract

BATCH_ROWS = 32
"""Images that travel to a worker together; the worker forms its own forward batches."""

COLUMNS = ("image_id", "bytes")


@dataclass(frozen=True, slots=True)
class ImageStep:
    """A step that turns images into rows of one table.

    Attributes:
        step: name and version.
        contract: the table.
        factory: dotted path of the worker; the step's parameters are its keyword arguments.
    """

    step: Step
    contract: Contract
    factory: str


def annotate_images(
    part: str,
    wanted: ImageStep,
    parameters: Mapping[str, Any],
    context: RunContext,
    pool: Pool,
) -> PartResult:
    """Return what was done for `part` of `images`; a committed part is not computed again.

    Args:
        part: of `images`.
        wanted: the step.
        parameters: of the worker; `weights` names the network.
        context: of the run.
        pool: where workers live.

    Raises:
        CheckpointError: the weights are missing or incomplete; no image was read.
    """
    source = committed_part(context.lake, IMAGES, part)
    job = PartJob(
        step=wanted.step,
        part=part,
        identity={**parameters, "weights_sha": resolve(parameters["weights"]).weights_sha},
        inputs=[source.fingerprint],
        outputs=[Output(wanted.contract, part)],
        rows_in=source.rows,
    )
    spec = WorkerSpec(wanted.factory, dict(parameters))
    scan = context.lake.scan(IMAGES, parts=[part], columns=COLUMNS, batch_rows=BATCH_ROWS)
    return run_part(
        context, job, lambda: map_on_pool(pool, spec, scan, wanted.step, wanted.contract)
    )
