"""Prefect tasks: one per kind of review, each about one part of chains."""

from collections.abc import Mapping
from dataclasses import replace

from infra.execution import PartResult, RunContext
from tasks.part_task import part_task
from tasks.review.kinds import Review
from tasks.review.live import ReviewWork


@part_task(Review.JUDGE.value)
def judge_part(part: str, work: ReviewWork, context: RunContext) -> PartResult:
    """Return what a judge said of the chains of `part`."""
    return _reviewed(part, work, context)


@part_task(Review.REWRITE.value)
def rewrite_part(part: str, work: ReviewWork, context: RunContext) -> PartResult:
    """Return what a rewriter made of the chains of `part`."""
    return _reviewed(part, work, context)


@part_task(Review.NEEDS_IMAGE.value)
def needs_image_part(part: str, work: ReviewWork, context: RunContext) -> PartResult:
    """Return which chains of `part` answer what can be guessed without the image."""
    return _reviewed(part, work, context)


REVIEW_TASKS: Mapping[Review, object] = {
    Review.JUDGE: judge_part,
    Review.REWRITE: rewrite_part,
    Review.NEEDS_IMAGE: needs_image_part,
}


def _reviewed(part: str, work: ReviewWork, context: RunContext) -> PartResult:
    """Ask, then read; a part of which both are committed is neither asked nor read again."""
    asked, read = work.ask(context), work.read(context)
    return replace(
        asked,
        part=part,
        reused=asked.reused and read.reused,
        rows=asked.rows + read.rows,
        failed=asked.failed + read.failed,
        seconds=asked.seconds + read.seconds,
    )
