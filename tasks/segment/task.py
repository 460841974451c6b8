"""Prefect task: the segments of every image of one part of `images`."""

from dataclasses import asdict

from infra.annotation import ImageStep, annotate_images
from infra.execution import PartResult, RunContext
from infra.pool.workers import Pool
from sightline.provenance import Step
from sightline.schemas import SEGMENTS
from tasks.part_task import part_task
from tasks.segment.params import SegmentParams

SEGMENT = ImageStep(Step(name="segment", version=1), SEGMENTS, "tasks.segment.worker:SegmentWorker")


@part_task(SEGMENT.step.name)
def segment_images(part: str, params: SegmentParams, context: RunContext, pool: Pool) -> PartResult:
    """Return what was done for `part`; a committed part is not computed again."""
    return annotate_images(part, SEGMENT, asdict(params), context, pool)
