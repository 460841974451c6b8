"""Prefect task: a depth map for every image of one part of `images`."""

from dataclasses import asdict

from infra.annotation import ImageStep, annotate_images
from infra.execution import PartResult, RunContext
from infra.pool.workers import Pool
from sightline.provenance import Step
from sightline.schemas import DEPTH_MAPS
from tasks.depth.params import DepthParams
from tasks.part_task import part_task

DEPTH = ImageStep(Step(name="depth", version=2), DEPTH_MAPS, "tasks.depth.worker:DepthWorker")


@part_task(DEPTH.step.name)
def annotate_depth(part: str, params: DepthParams, context: RunContext, pool: Pool) -> PartResult:
    """Return what was done for `part`; a committed part is not computed again."""
    return annotate_images(part, DEPTH, asdict(params), context, pool)
