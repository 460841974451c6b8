"""Prefect task: what is named, found in every image of one part of `images`."""

from dataclasses import asdict, replace

from infra.annotation import ImageStep, annotate_images
from infra.execution import PartResult, RunContext
from infra.pool.workers import Pool
from sightline.provenance import Step
from sightline.schemas import DETECTIONS
from tasks.detect.params import DetectParams
from tasks.detect.queries import checked_queries
from tasks.part_task import part_task

DETECT = ImageStep(Step(name="detect", version=1), DETECTIONS, "tasks.detect.worker:DetectWorker")


@part_task(DETECT.step.name)
def detect_objects(part: str, params: DetectParams, context: RunContext, pool: Pool) -> PartResult:
    """Return what was done for `part`; a committed part is not computed again.

    Raises:
        RecipeError: a query is empty or no phrase.
    """
    plain = replace(params, queries=checked_queries(params.queries))
    return annotate_images(part, DETECT, asdict(plain), context, pool)
