"""Prefect task: one writer's chains about one part of `samples`, asked through the ledger."""

from infra.execution import Output, PartJob, PartResult, RunContext, committed_part, run_part
from infra.lake.lake import Lake
from sightline.provenance import Step, fingerprint_of
from sightline.schemas import GENERATIONS, IMAGES, OBJECTS, SAMPLES
from tasks.distill.asks import prompts_identity
from tasks.distill.live import CaseInputs, ChainPurchase, DistillWork
from tasks.distill.writers import Writer
from tasks.part_task import part_task
from tasks.replies.grammar import PARSER_VERSION

STEP = Step(name="distill", version=2)


@part_task(STEP.name)
def distill_part(
    part: str, samples_part: str, writer: Writer, work: DistillWork, context: RunContext
) -> PartResult:
    """Return what was done for `part`; a committed part is not asked again.

    Args:
        part: the writer's part, `writer.part_of(samples_part)`.
        samples_part: of `samples`.
        writer: who writes.
        work: shared by all parts.
        context: of the run.
    """
    job = chain_job(part, samples_part, writer, work, context.lake)
    purchase = ChainPurchase(samples_part, writer, work, context)
    return run_part(context, job, purchase.rows, lambda: purchase.spend)


def chain_job(
    part: str, samples_part: str, writer: Writer, work: CaseInputs, lake: Lake
) -> PartJob:
    """Return the job that `distill_part` does, and so what its part is made from.

    Raises:
        LakeError: a part that it reads is not committed yet.
    """
    samples = committed_part(lake, SAMPLES, samples_part)
    inputs = work.inputs(samples_part)
    objects = inputs.image_parts if work.uses_objects else ()
    return PartJob(
        step=STEP,
        part=part,
        identity=writer.identity
        | {
            "prompts_id": prompts_identity(writer.params),
            "parser": PARSER_VERSION,
            "dropped": fingerprint_of(sorted(inputs.dropped)),
        },
        inputs=[
            samples.fingerprint,
            *(committed_part(lake, OBJECTS, p).fingerprint for p in objects),
        ],
        outputs=[Output(IMAGES, f"zoom.{part}"), Output(GENERATIONS, part)],
        rows_in=samples.rows * writer.draws,
    )
