"""Prefect task: the verdicts on every chain of one part."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict

from infra.execution import (
    Output,
    PartJob,
    PartResult,
    Produced,
    RunContext,
    committed_part,
    run_part,
)
from sightline.provenance import Step
from sightline.schemas import GENERATIONS, OBJECTS, SAMPLES, STEPS, VERDICTS
from tasks.part_task import part_task
from tasks.verify.judge import Standard, judge_part

STEP = Step(name="verify", version=2)


@part_task(STEP.name)
def verify_part(
    part: str,
    samples_part: str,
    standard: Standard,
    object_parts: Sequence[str],
    context: RunContext,
) -> PartResult:
    """Return what was done for `part`; a committed part is not judged again.

    Args:
        part: of `generations`: one writer's chains.
        samples_part: of `samples`.
        standard: what the chains are judged by.
        object_parts: parts of `objects` that the samples' images are in; none if there are none.
        context: of the run.
    """
    generations = committed_part(context.lake, GENERATIONS, part)
    read = [(SAMPLES, samples_part), (STEPS, part), *((OBJECTS, p) for p in object_parts)]
    job = PartJob(
        step=STEP,
        part=part,
        identity=asdict(standard),
        inputs=[
            generations.fingerprint,
            *(committed_part(context.lake, table, p).fingerprint for table, p in read),
        ],
        outputs=[Output(VERDICTS, part)],
        rows_in=generations.rows,
    )
    return run_part(
        context, job, lambda: _judge(part, samples_part, standard, object_parts, context)
    )


def _judge(
    part: str,
    samples_part: str,
    standard: Standard,
    object_parts: Sequence[str],
    context: RunContext,
) -> Iterator[Produced]:
    lake = context.lake
    objects = lake.read(OBJECTS, parts=object_parts) if object_parts else None
    verdicts = judge_part(
        lake.read(SAMPLES, parts=[samples_part]),
        lake.read(GENERATIONS, parts=[part]),
        lake.read(STEPS, parts=[part]),
        objects,
        standard,
    )
    yield Produced(VERDICTS, verdicts)
