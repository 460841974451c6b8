"""One part bought: the kept samples as cases, their chains asked, their rows streamed out."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import pyarrow as pa
import pyarrow.compute as pc

from infra.execution import Output, PartJob, Produced, RunContext, Spend, committed_part
from infra.images.shelf import ImageShelf, image_shelf
from infra.lake.lake import Lake
from sightline.provenance import Step, fingerprint_of
from sightline.schemas import FAILURES, GENERATIONS, IMAGES, OBJECTS, SAMPLES
from tasks.asking.in_order import GoOn
from tasks.asking.live import AskingWork, Purchase
from tasks.asking.walk import Walk
from tasks.distill.asks import prompts_identity
from tasks.distill.case import ChainCase, cases_of
from tasks.distill.rounds import ChainResult, RunChain, asked_here
from tasks.distill.rows import DISTILL, tables_of
from tasks.distill.views import ViewCutter
from tasks.distill.writers import Writer
from tasks.replies.grammar import PARSER_VERSION

STEP = Step(name=DISTILL, version=2)


@dataclass(frozen=True, slots=True)
class PartInputs:
    """What a part's chains are made from.

    Attributes:
        image_parts: parts of `images` that its samples refer to.
        dropped: its samples that are duplicates or in a benchmark; they are not asked about.
    """

    image_parts: Sequence[str]
    dropped: frozenset[str]


class CaseInputs:
    """Where cases come from; a plain class, so that Prefect does not look inside.

    Attributes:
        inputs: what a part's chains are made from, by part of `samples`.
        uses_objects: whether prompts list objects.
    """

    def __init__(self, inputs: Callable[[str], PartInputs], *, uses_objects: bool) -> None:
        self.inputs, self.uses_objects = inputs, uses_objects


class DistillWork(CaseInputs):
    """What every part of a build shares.

    Attributes:
        asking: the teacher, its ledger and the places.
        open_runner: gives what asks chains; called by the first part that has something to ask.
    """

    def __init__(
        self,
        asking: AskingWork,
        inputs: Callable[[str], PartInputs],
        *,
        uses_objects: bool,
        open_runner: Callable[[], RunChain] | None = None,
    ) -> None:
        super().__init__(inputs, uses_objects=uses_objects)
        self.asking = asking
        self.open_runner = open_runner or (lambda: asked_here(asking.open_teacher()))


def read_cases(
    context: RunContext, samples_part: str, writer: Writer, work: CaseInputs
) -> list[ChainCase]:
    """Return a case per kept sample of a part and draw, draws of a sample side by side."""
    inputs = work.inputs(samples_part)
    samples = context.lake.read(SAMPLES, parts=[samples_part])
    kept = pc.invert(pc.is_in(samples["sample_id"], pa.array(inputs.dropped, pa.string())))
    listed = work.uses_objects
    objects = context.lake.read(OBJECTS, parts=inputs.image_parts) if listed else None
    draws = list(writer.each_draw())
    cases = cases_of(samples.filter(kept), objects, writer.params)
    return [replace(case, params=params) for case in cases for params in draws]


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


class ChainPurchase:
    """The chains of one writer about one part of samples; `spend` is known after `rows`."""

    def __init__(
        self, samples_part: str, writer: Writer, work: DistillWork, context: RunContext
    ) -> None:
        self._samples_part, self._writer = samples_part, writer
        self._work, self._context = work, context
        self._purchase = Purchase(DISTILL, work.asking, context.progress)

    @property
    def spend(self) -> Spend:
        """Return what the chains cost."""
        return self._purchase.spend

    def rows(self) -> Iterator[Produced]:
        """Yield generations, crops and failures."""
        yield from self._asked(self._purchase)

    def walk(self) -> bool:
        """Return whether the teacher answered every chain to its end; give no rows."""
        walk = Walk(self._work.asking.places)
        for _ in self._asked(walk):
            pass
        return walk.is_finished

    def _asked(self, asks: Purchase | Walk) -> Iterator[Produced]:
        cases = read_cases(self._context, self._samples_part, self._writer, self._work)
        if not cases:
            return
        wanted = {case.image_id for case in cases if case.image_id is not None}
        image_parts = self._work.inputs(self._samples_part).image_parts
        with image_shelf(self._context.lake, image_parts, wanted) as shelf:
            yield from self._chains(asks, cases, shelf)

    def _chains(
        self, asks: Purchase | Walk, cases: Sequence[ChainCase], shelf: ImageShelf
    ) -> Iterator[Produced]:
        run_chain, make_view = self._work.open_runner(), ViewCutter(shelf.load)

        async def run(case: ChainCase, go_on: GoOn) -> ChainResult:
            return await run_chain(case, make_view, go_on)

        seen: set[str] = set()
        for results in asks.groups(cases, run):
            tables = tables_of(results, seen)
            yield Produced(GENERATIONS, tables.generations)
            yield Produced(IMAGES, tables.images)
            yield Produced(FAILURES, tables.failures)
