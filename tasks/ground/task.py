"""Prefect task: objects and relations of one part, from its segments and depth maps."""

from collections.abc import Iterator
from dataclasses import asdict

from infra.execution import (
    Output,
    PartJob,
    PartResult,
    Produced,
    RunContext,
    committed_part,
    failed_rows,
    run_part,
)
from sightline.provenance import Step
from sightline.schemas import DEPTH_MAPS, OBJECTS, RELATIONS, SEGMENTS
from tasks.ground.build import objects_of
from tasks.ground.relations import relations_of
from tasks.ground.rules import GroundParams
from tasks.part_task import part_task

STEP = Step(name="ground", version=2)


@part_task(STEP.name)
def ground_objects(part: str, params: GroundParams, context: RunContext) -> PartResult:
    """Return what was done for `part`; a committed part is not computed again."""
    segments = committed_part(context.lake, SEGMENTS, part)
    depth_maps = committed_part(context.lake, DEPTH_MAPS, part)
    job = PartJob(
        step=STEP,
        part=part,
        identity=asdict(params),
        inputs=[segments.fingerprint, depth_maps.fingerprint],
        outputs=[Output(RELATIONS, part), Output(OBJECTS, part)],
        rows_in=segments.rows,
    )
    return run_part(context, job, lambda: _ground(part, params, context))


def _ground(part: str, params: GroundParams, context: RunContext) -> Iterator[Produced]:
    found = objects_of(
        context.lake.read(SEGMENTS, parts=[part]),
        context.lake.read(DEPTH_MAPS, parts=[part]),
        params,
    )
    yield Produced(OBJECTS, found.table)
    yield Produced(RELATIONS, relations_of(found.table, params))
    yield failed_rows(STEP, [(f.item_id, f.code, f.detail) for f in found.failures])
