"""A network over every image of a part: the one way depth and segmentation become rows.

What is computed (weights by their sha256, parameters) is the identity; where it is computed is the
pool's business.  A worker finds the weights on its own machine, so what it says it used is held
against what the driver found: a hub branch that moved between the two must not pass for the same.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
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
    failed_rows,
    is_committed,
    map_on_pool,
    run_part,
    run_parts,
)
from infra.lake.lake import Lake
from infra.pool.several import unpack
from infra.pool.workers import Placement, Pool, WorkerOutput, WorkerSpec
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

SEVERAL: Final = "tasks.vision.several:SeveralWorkers"
"""The worker that runs those of several steps over one decode."""


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


@dataclass(frozen=True, slots=True)
class Wanted:
    """A step and the parameters of its worker; `weights` names the network."""

    step: ImageStep
    parameters: Mapping[str, Any]


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
    found = _found(part, Wanted(wanted, parameters), context)
    spec = WorkerSpec(wanted.factory, dict(parameters))
    batches = image_batches(context.lake, part, pool.placement)
    return run_part(
        context,
        found.job,
        lambda: with_weights(
            found.checkpoint, map_on_pool(pool, spec, batches, wanted.step, wanted.contract)
        ),
    )


def annotate_together(
    part: str, wanted: Sequence[Wanted], context: RunContext, pool: Pool
) -> list[PartResult]:
    """Return what was done by each of several steps that read `part` of `images`.

    The steps that are not committed yet share one decode of the pictures; each is published under
    its own fingerprint, the same that it has alone.

    Args:
        part: of `images`.
        wanted: the steps; their workers have `stages`.
        context: of the run.
        pool: where workers live.

    Raises:
        CheckpointError: weights are missing or incomplete; no image was read.
    """
    found = [_found(part, one, context) for one in wanted]
    lacking = [one for one in found if not is_committed(context, one.job)]
    if len(lacking) <= 1:
        return [annotate_images(part, w.step, w.parameters, context, pool) for w in wanted]
    done = run_parts(
        context, [one.job for one in lacking], lambda: _together(part, lacking, context, pool)
    )
    results = {result.step: result for result in done}
    return [
        results.get(w.step.step.name) or annotate_images(part, w.step, w.parameters, context, pool)
        for w in wanted
    ]


@dataclass(frozen=True, slots=True)
class _Found:
    """A step on a part, and the weights that it runs."""

    wanted: Wanted
    job: PartJob
    checkpoint: Checkpoint


def _found(part: str, wanted: Wanted, context: RunContext) -> _Found:
    source = committed_part(context.lake, IMAGES, part)
    checkpoint = resolve(wanted.parameters["weights"])
    job = PartJob(
        step=wanted.step.step,
        part=part,
        identity={**wanted.parameters, "weights_sha": checkpoint.weights_sha},
        inputs=[source.fingerprint],
        outputs=[Output(wanted.step.contract, part)],
        rows_in=source.rows,
    )
    return _Found(wanted, job, checkpoint)


def _together(
    part: str, found: Sequence[_Found], context: RunContext, pool: Pool
) -> Iterator[tuple[int, Produced]]:
    members = [
        {"factory": one.wanted.step.factory, "options": dict(one.wanted.parameters)}
        for one in found
    ]
    spec = WorkerSpec(SEVERAL, {"members": members})
    for result in pool.map(spec, image_batches(context.lake, part, pool.placement)):
        for number, outputs in enumerate(unpack(result, len(found))):
            one = found[number]
            rows = (made for output in outputs for made in _produced(one.wanted.step, output))
            for produced in with_weights(one.checkpoint, rows):
                yield number, produced


def _produced(step: ImageStep, output: WorkerOutput) -> Iterator[Produced]:
    if output.table.num_rows:
        yield Produced(step.contract, output.table)
    if output.failures:
        yield failed_rows(step.step, [(f.item_id, f.code, f.detail) for f in output.failures])


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
