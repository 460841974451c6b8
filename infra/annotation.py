"""A network over every image of a part: the one way depth and segmentation become rows.

What is computed (weights by their sha256, parameters) is the identity; where it is computed is the
pool's business.  A worker finds the weights on its own machine, so what it says it used is held
against what the driver found: a hub branch that moved between the two must not pass for the same.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from infra.checkpoints import Checkpoint, resolve
from infra.execution import (
    Output,
    PartJob,
    PartResult,
    Produced,
    RunContext,
    committed_part,
    map_on_pool,
    run_part,
)
from infra.lake.lake import Lake
from infra.pool.workers import Placement, Pool, WorkerSpec
from sightline.errors import CheckpointError
from sightline.provenance import Step
from sightline.schemas import IMAGES, Contract

BATCH_ROWS: Final = 32
"""Images that travel to a worker together; the worker forms its own forward batches."""

GPU_BATCH_ROWS: Final = 128
"""The same where workers have GPUs: pictures of one shape share a pass, and of many pictures more
have the same."""

BATCH_BYTES: Final = 16 << 20
"""A batch of `GPU_BATCH_ROWS` ends early with so many encoded bytes."""

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
    checkpoint = resolve(parameters["weights"])
    job = PartJob(
        step=wanted.step,
        part=part,
        identity={**parameters, "weights_sha": checkpoint.weights_sha},
        inputs=[source.fingerprint],
        outputs=[Output(wanted.contract, part)],
        rows_in=source.rows,
    )
    spec = WorkerSpec(wanted.factory, dict(parameters))
    batches = image_batches(context.lake, part, pool.placement)
    return run_part(
        context,
        job,
        lambda: with_weights(
            checkpoint, map_on_pool(pool, spec, batches, wanted.step, wanted.contract)
        ),
    )


def image_batches(lake: Lake, part: str, placement: Placement) -> Iterator[pa.Table]:
    """Yield the images of a part, as many at a time as one worker of `placement` should get."""
    scan = lake.scan(IMAGES, parts=[part], columns=COLUMNS, batch_rows=BATCH_ROWS)
    return _merged(scan) if placement.num_gpus else scan


def with_weights(checkpoint: Checkpoint, produced: Iterable[Produced]) -> Iterator[Produced]:
    """Pass on what workers made of `checkpoint`.

    Raises:
        CheckpointError: a worker found other weights of that name.
    """
    for rows in produced:
        if "weights_sha" in rows.table.column_names:
            others = set(pc.unique(rows.table["weights_sha"]).to_pylist()) - {
                checkpoint.weights_sha
            }
            if others:
                msg = (
                    f"weights {checkpoint.name!r} have sha256 {checkpoint.weights_sha} here and "
                    f"{sorted(others)} on a worker; name a revision, or fetch them again there"
                )
                raise CheckpointError(msg)
        yield rows


def _merged(tables: Iterable[pa.Table]) -> Iterator[pa.Table]:
    """Yield the same rows in batches of about `GPU_BATCH_ROWS` or `BATCH_BYTES`."""
    held: list[pa.Table] = []
    for table in tables:
        held.append(table)
        rows = sum(one.num_rows for one in held)
        if rows >= GPU_BATCH_ROWS or sum(one.nbytes for one in held) >= BATCH_BYTES:
            yield pa.concat_tables(held)
            held = []
    if held:
        yield pa.concat_tables(held)
