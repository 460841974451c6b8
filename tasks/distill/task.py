"""Prefect task: the chains of one part of `samples`, asked of the teacher through the ledger."""

from collections.abc import Callable, Sequence
from dataclasses import asdict

from infra.execution import Output, PartJob, PartResult, RunContext, committed_part, run_part
from infra.ledger import Ledger
from infra.teacher_types import Asker
from sightline.provenance import Step, fingerprint_of
from sightline.schemas import GENERATIONS, IMAGES, OBJECTS, SAMPLES
from tasks.distill.asks import prompts_identity
from tasks.distill.case import ChainParams
from tasks.distill.live import Purchase
from tasks.part_task import part_task

STEP = Step(name="distill", version=1)


class DistillWork:
    """What every part of a build shares; a plain class, so that Prefect does not look inside.

    Attributes:
        open_teacher: gives the teacher; called by the first part that has something to ask.
        ledger: flushed before a part's rows count.
        in_flight: most chains asking at once, per part.
        uses_objects: whether prompts list objects.
        image_parts: parts of `images` that the samples of a part refer to.
        dropped: samples of a part that are duplicates of kept ones.
    """

    def __init__(
        self,
        open_teacher: Callable[[], Asker],
        ledger: Ledger,
        in_flight: int,
        image_parts: Callable[[str], Sequence[str]],
        dropped: Callable[[str], Sequence[str]],
        *,
        uses_objects: bool,
    ) -> None:
        self.open_teacher, self.ledger, self.in_flight = open_teacher, ledger, in_flight
        self.image_parts, self.dropped, self.uses_objects = image_parts, dropped, uses_objects


@part_task(STEP.name)
def distill_part(
    part: str, params: ChainParams, work: DistillWork, context: RunContext
) -> PartResult:
    """Return what was done for `part`; a committed part is not asked again."""
    samples = committed_part(context.lake, SAMPLES, part)
    image_parts = work.image_parts(part) if work.uses_objects else []
    objects = [committed_part(context.lake, OBJECTS, p).fingerprint for p in image_parts]
    job = PartJob(
        step=STEP,
        part=part,
        identity=asdict(params)
        | {"prompts": prompts_identity(), "dropped": fingerprint_of(sorted(work.dropped(part)))},
        inputs=[samples.fingerprint, *objects],
        outputs=[Output(IMAGES, f"zoom.{part}"), Output(GENERATIONS, part)],
        rows_in=samples.rows,
    )
    purchase = Purchase(part, params, work, context)
    return run_part(context, job, purchase.rows, lambda: purchase.spend)
