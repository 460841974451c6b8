"""Prefect tasks: find the new rows of a source, then ingest them part by part."""

from collections.abc import Iterator
from dataclasses import asdict

import pyarrow.compute as pc

from infra.execution import Output, PartJob, PartResult, Produced, RunContext, run_part
from infra.lake import Lake
from sightline.provenance import Step, fingerprint_of
from sightline.schemas import FAILURES, IMAGES, SAMPLES
from tasks.ingest.image_facts import ImageLimits
from tasks.ingest.part import ingest_part
from tasks.ingest.plan import Known, PartPlan, plan_parts
from tasks.ingest.source import Source
from tasks.part_task import part_task

STEP = Step(name="ingest", version=1)
DECODE_THREADS = 2


def known_rows(lake: Lake) -> Known:
    """Return what finished parts hold; a part is finished when its samples are committed."""
    finished = [part.part for part in lake.parts(SAMPLES)]
    samples = lake.read(SAMPLES, columns=["row_key", "sample_id"])
    images = lake.read(IMAGES, parts=finished, columns=["image_id"])
    failures = lake.read(FAILURES, columns=["item_id"], where=pc.field("step") == STEP.name)
    return Known(
        row_keys=frozenset(samples["row_key"].to_pylist()),
        failed_keys=frozenset(failures["item_id"].to_pylist()),
        image_ids=frozenset(images["image_id"].to_pylist()),
        sample_ids=frozenset(samples["sample_id"].to_pylist()),
    )


class IngestWork:
    """The new rows of a source, by part.

    A plain class: Prefect looks into the fields of dataclasses and collections among a task's
    parameters, which would take minutes on a large listing.
    """

    def __init__(self, source: Source, limits: ImageLimits, known: Known, part_rows: int) -> None:
        self.source, self.limits, self.known = source, limits, known
        plans = plan_parts(source.rows(), known, name=source.name, part_rows=part_rows)
        self.plans: dict[str, PartPlan] = {plan.part: plan for plan in plans}


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
