"""Prefect tasks: read a benchmark once, then compare the parts of the lake with it."""

from infra.execution import PartResult, RunContext, run_part
from tasks.decontaminate.targets import Target
from tasks.decontaminate.work import COMPARE, READ, BenchmarkWork
from tasks.part_task import part_task


@part_task(READ.name)
def read_benchmark(part: str, work: BenchmarkWork, context: RunContext) -> PartResult:
    """Return what was done for a benchmark; one that the lake holds is not read again."""
    del part
    return run_part(context, work.reading(), work.read)


@part_task(COMPARE.name)
def compare_part(part: str, target: Target, work: BenchmarkWork, context: RunContext) -> PartResult:
    """Return what was done for `part`; a part that was compared is not compared again."""
    del part
    return run_part(context, work.comparing(target), lambda: work.compare(target))
