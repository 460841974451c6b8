"""Prefect task: exact duplicates over the whole lake, before anything is annotated or paid."""

from collections.abc import Iterator

from infra.execution import Output, PartJob, PartResult, Produced, RunContext, run_part
from sightline.provenance import Step
from sightline.schemas import DUPLICATES, IMAGES, SAMPLES
from tasks.dedup.exact import IMAGE_COLUMNS, SAMPLE_COLUMNS, exact_duplicates
from tasks.part_task import part_task

STEP = Step(name="dedup", version=1)
EXACT_PART = "exact"
"""The one part this step writes: a cluster may span any parts of the lake."""


@part_task(STEP.name)
def find_duplicates(part: str, image_parts: list[str], context: RunContext) -> PartResult:
    """Return what was done; unchanged samples and images are not compared again.

    Args:
        part: `EXACT_PART`.
        image_parts: parts of `images` that sources brought; crops take no part.
        context: of the run.
    """
    lake = context.lake
    samples = lake.parts(SAMPLES)
    images = [p for p in lake.parts(IMAGES) if p.part in set(image_parts)]
    job = PartJob(
        step=STEP,
        part=part,
        identity={},
        inputs=[f"{p.table}/{p.part}/{p.fingerprint}" for p in [*images, *samples]],
        outputs=[Output(DUPLICATES, part)],
        rows_in=sum(p.rows for p in samples),
    )
    return run_part(context, job, lambda: _duplicates(context, image_parts))


def _duplicates(context: RunContext, image_parts: list[str]) -> Iterator[Produced]:
    images = context.lake.read(IMAGES, parts=image_parts, columns=IMAGE_COLUMNS)
    samples = context.lake.read(SAMPLES, columns=SAMPLE_COLUMNS)
    yield Produced(DUPLICATES, exact_duplicates(images, samples))
