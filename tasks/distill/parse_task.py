"""Prefect task: the steps of one part, re-derived from its stored replies without any call."""

from collections.abc import Iterator

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
from sightline.schemas import FAILURES, GENERATIONS, STEPS
from tasks.distill.live import CaseInputs, read_cases
from tasks.distill.replay import steps_of
from tasks.distill.writers import Writer
from tasks.part_task import part_task
from tasks.replies.grammar import PARSER_VERSION

STEP = Step(name="parse", version=2)


@part_task(STEP.name)
def parse_part(
    part: str, samples_part: str, writer: Writer, work: CaseInputs, context: RunContext
) -> PartResult:
    """Return what was done for `part`; a committed part is not parsed again.

    Args:
        part: the writer's part, `writer.part_of(samples_part)`.
        samples_part: of `samples`.
        writer: who wrote.
        work: where the cases come from; nobody is asked.
        context: of the run.
    """
    generations = committed_part(context.lake, GENERATIONS, part)
    job = PartJob(
        step=STEP,
        part=part,
        identity=writer.identity | {"parser": PARSER_VERSION},
        inputs=[generations.fingerprint],
        outputs=[Output(STEPS, part)],
        rows_in=generations.rows,
    )
    return run_part(context, job, lambda: _parse(part, samples_part, writer, work, context))


def _parse(
    part: str, samples_part: str, writer: Writer, work: CaseInputs, context: RunContext
) -> Iterator[Produced]:
    cases = read_cases(context, samples_part, writer, work)
    parsed = steps_of(context.lake.read(GENERATIONS, parts=[part]), cases)
    yield Produced(STEPS, parsed.steps)
    yield Produced(FAILURES, parsed.failures)
