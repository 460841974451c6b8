"""Prefect task: one writer's chains about one part of `samples`, asked through the ledger."""

from infra.execution import PartResult, RunContext, run_part
from tasks.distill.live import STEP, ChainPurchase, DistillWork, chain_job
from tasks.distill.writers import Writer
from tasks.part_task import part_task


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
