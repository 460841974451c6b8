"""Prefect task: the chains of one part of `samples`, asked of the teacher through the ledger."""

from dataclasses import asdict

from infra.execution import Output, PartJob, PartResult, RunContext, committed_part, run_part
from sightline.provenance import Step, fingerprint_of
from sightline.schemas import GENERATIONS, IMAGES, OBJECTS, SAMPLES
from tasks.distill.asks import prompts_identity
from tasks.distill.case import ChainParams
from tasks.distill.live import DistillWork, Purchase
from tasks.part_task import part_task

STEP = Step(name="distill", version=1)


@part_task(STEP.name)
def distill_part(
    part: str, params: ChainParams, work: DistillWork, context: RunContext
) -> PartResult:
    """Return what was done for `part`; a committed part is not asked again."""
    samples = committed_part(context.lake, SAMPLES, part)
    inputs = work.inputs(part)
    objects = inputs.image_parts if work.uses_objects else ()
    identity = asdict(params) | {
        "prompts": prompts_identity(),
        "dropped": fingerprint_of(sorted(inputs.dropped)),
    }
    job = PartJob(
        step=STEP,
        part=part,
        identity=identity,
        inputs=[
            samples.fingerprint,
            *(committed_part(context.lake, OBJECTS, p).fingerprint for p in objects),
        ],
        outputs=[Output(IMAGES, f"zoom.{part}"), Output(GENERATIONS, part)],
        rows_in=samples.rows,
    )
    purchase = Purchase(part, params, work, context)
    return run_part(context, job, purchase.rows, lambda: purchase.spend)
