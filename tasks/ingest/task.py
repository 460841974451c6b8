"""Prefect tasks: find the new rows of a source, then ingest them part by part."""

from collections.abc import Iterator
from dataclasses import asdict

from infra.execution import Output, PartJob, PartResult, Produced, RunContext, run_part
from sightline.provenance import Step, fingerprint_of
from sightline.schemas import FAILURES, IMAGES, SAMPLES
from tasks.ingest.part import ingest_part
from tasks.ingest.plan import PartPlan
from tasks.ingest.work import IngestWork
from tasks.part_task import part_task

STEP = Step(name="ingest", version=1)
DECODE_THREADS = 2


@part_task(STEP.name)
def ingest(part: str, work: IngestWork, context: RunContext) -> PartResult:
    """Return what was done for `part`; a committed part is not read again."""
    plan = work.plans[part]
    digest = fingerprint_of([[row.row_key for row in plan.rows], sorted(plan.owned_images)])
    job = PartJob(
        step=STEP,
        part=part,
        identity={"limits": asdict(work.limits), "rows": digest},
        inputs=[],
        outputs=[Output(IMAGES, part), Output(SAMPLES, part)],
        rows_in=len(plan.rows),
    )
    return run_part(context, job, lambda: _ingest(plan, work))


def _ingest(plan: PartPlan, work: IngestWork) -> Iterator[Produced]:
    chunks = ingest_part(work.source, plan, work.limits, work.known, threads=DECODE_THREADS)
    for chunk in chunks:
        yield Produced(IMAGES, chunk.images)
        yield Produced(SAMPLES, chunk.samples)
        yield Produced(FAILURES, chunk.failures)
