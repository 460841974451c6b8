"""Prefect task: the segments of every image of one part of `images`."""

from collections.abc import Sequence
from dataclasses import asdict

from infra.annotation import ImageStep, annotate_images
from infra.execution import PartResult, RunContext
from infra.pool.workers import Pool
from sightline.provenance import Step
from sightline.schemas import SEGMENTS
from tasks.part_task import part_task
from tasks.segment.families import Prompts
from tasks.segment.params import SegmentParams
from tasks.segment.work import segment_prompts

SEGMENT = ImageStep(Step(name="segment", version=2), SEGMENTS, "tasks.segment.worker:SegmentWorker")


@part_task(SEGMENT.step.name)
def segment_images(
    part: str,
    params: SegmentParams,
    context: RunContext,
    pool: Pool,
    samples: Sequence[str] = (),
) -> PartResult:
    """Return what was done for `part`; a committed part is not computed again.

    Args:
        part: of `images`.
        params: what decides the masks.
        context: of the run.
        pool: where workers live.
        samples: parts of `samples` that refer to images of `part`; read if their boxes are asked
            about.
    """
    if params.prompts in (Prompts.DETECTIONS, Prompts.SAMPLES):
        return segment_prompts(part, SEGMENT, params, (context, pool), samples)
    return annotate_images(part, SEGMENT, asdict(params), context, pool)
