"""Prefect task: a depth map for every image of one part of `images`."""

from collections.abc import Sequence
from dataclasses import asdict

from infra.annotation import ImageStep, Wanted, annotate_together
from infra.execution import PartResult, RunContext
from infra.pool.workers import Pool
from sightline.provenance import Step
from sightline.schemas import DEPTH_MAPS
from tasks.depth.params import DepthParams
from tasks.part_task import part_task

DEPTH = ImageStep(Step(name="depth", version=2), DEPTH_MAPS, "tasks.depth.worker:DepthWorker")


@part_task(DEPTH.step.name)
def annotate_depth(
    part: str,
    params: DepthParams,
    context: RunContext,
    pool: Pool,
    along: Sequence[Wanted] = (),
) -> PartResult:
    """Return what was done for `part`; a committed part is not computed again.

    Args:
        part: of `images`.
        params: what decides the maps.
        context: of the run.
        pool: where workers live.
        along: steps that share the decode of the pictures, and are committed with this one.
    """
    wanted = [Wanted(DEPTH, asdict(params)), *along]
    return annotate_together(part, wanted, context, pool)[0]
