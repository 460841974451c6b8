"""Prefect tasks: noise on a part of the lake's maps, and weights against a folder."""

from infra.execution import PartResult, RunContext, run_part
from tasks.depth_audit.folders import HumanLabel
from tasks.depth_audit.truth_rows import TruthRow
from tasks.depth_audit.work import HUMAN, NOISE, TRUTH, FolderWork, NoiseWork
from tasks.part_task import part_task


@part_task(NOISE.name)
def disturb_part(part: str, work: NoiseWork, context: RunContext) -> PartResult:
    """Return what was done for `part` of the maps; a part audited before is not audited again."""
    return run_part(context, work.job(part), lambda: work.compute(part))


@part_task(TRUTH.name)
def compare_truth(part: str, work: FolderWork[TruthRow], context: RunContext) -> PartResult:
    """Return what was done for a folder of true depth."""
    del part
    return run_part(context, work.job(), work.compute)


@part_task(HUMAN.name)
def compare_labels(part: str, work: FolderWork[HumanLabel], context: RunContext) -> PartResult:
    """Return what was done for a folder of human labels."""
    del part
    return run_part(context, work.job(), work.compute)
