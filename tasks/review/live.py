"""One part of chains reviewed: read from the lake, asked about, and read again from the replies.

Asking and reading are two jobs of one task, each with its fingerprint: a changed threshold reads
again and asks nothing, and what was asked is replayed from `generations` alone.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from infra.execution import (
    Output,
    PartJob,
    PartResult,
    Produced,
    RunContext,
    committed_part,
    run_part,
)
from infra.images.shelf import image_shelf
from sightline.provenance import Step
from sightline.schemas import FAILURES, GENERATIONS, SAMPLES, STEPS, VERDICTS
from tasks.asking.facts import prompt_id
from tasks.asking.in_order import GoOn
from tasks.asking.live import AskingWork, Purchase
from tasks.asking.repair import repair_prompt_id
from tasks.asking.walk import Walk
from tasks.replies.grammar import PARSER_VERSION
from tasks.review.asks import Stage
from tasks.review.case import ReviewCase, cases_of
from tasks.review.kinds import Review
from tasks.review.read import tables_of
from tasks.review.rounds import Reviewing, ReviewItem, ReviewResult, run_review
from tasks.review.rows import failure_rows, generation_rows

VERSION = 1
ANSWER_MATCH = "answer_match"
"""The rule of verify that a chain with a wrong answer fails."""


@dataclass(frozen=True, slots=True)
class ReviewPart:
    """The chains a review is about.

    Attributes:
        chains: part of `generations`, `steps` and `verdicts` that holds them.
        samples: part of `samples`.
        image_parts: parts of `images` that the samples refer to.
        judged: whether verify has judged them.
    """

    chains: str
    samples: str
    image_parts: Sequence[str]
    judged: bool


class ReviewWork:
    """One review of one part; a plain class, so that Prefect does not look inside."""

    def __init__(self, reviewing: Reviewing, part: ReviewPart, asking: AskingWork) -> None:
        self.reviewing, self.part, self.asking = reviewing, part, asking

    @property
    def review(self) -> Review:
        """Return the kind of review."""
        return self.reviewing.review

    @property
    def replies_part(self) -> str:
        """Return the part that holds its replies and what they come to."""
        return f"{self.review.value}.{self.part.chains}"

    def ask(self, context: RunContext) -> PartResult:
        """Ask about every chain of the part, unless that is committed."""
        job = self._asking_job(context)
        purchase = Purchase(self.review.value, self.asking, context.progress)
        return run_part(
            context, job, lambda: self._bought(context, purchase), lambda: purchase.spend
        )

    def is_done(self, context: RunContext) -> bool:
        """Return whether its replies are committed, so that nobody is asked any more."""
        fingerprint = self._asking_job(context).fingerprint
        return context.lake.is_done(GENERATIONS, self.replies_part, fingerprint)

    def walk(self, context: RunContext) -> bool:
        """Return whether the teacher answered every ask of the part; give no rows."""
        walk = Walk(self.asking.places)
        for _ in self._bought(context, walk):
            pass
        return walk.is_finished

    def read(self, context: RunContext) -> PartResult:
        """Read the replies of the part, unless that is committed; nobody is asked."""
        replies = committed_part(context.lake, GENERATIONS, self.replies_part)
        job = PartJob(
            step=Step(self.review.reading_step, VERSION),
            part=self.part.chains,
            identity=self.reviewing.params.reading() | {"parser": PARSER_VERSION},
            inputs=[replies.fingerprint],
            outputs=[Output(STEPS, self.replies_part), Output(VERDICTS, self.replies_part)],
            rows_in=replies.rows,
        )
        return run_part(context, job, lambda: self._read(context))

    def _asking_job(self, context: RunContext) -> PartJob:
        part = self.part
        tables = [(SAMPLES, part.samples), (STEPS, part.chains)]
        tables += [(VERDICTS, part.chains)] if part.judged else []
        chains = committed_part(context.lake, GENERATIONS, part.chains)
        prompts = [prompt_id(self.reviewing.template), repair_prompt_id()]
        return PartJob(
            step=Step(self.review.value, VERSION),
            part=part.chains,
            identity=self.reviewing.params.asking()
            | {"prompts_id": prompts, "parser": PARSER_VERSION},
            inputs=[
                chains.fingerprint,
                *(committed_part(context.lake, table, name).fingerprint for table, name in tables),
            ],
            outputs=[Output(GENERATIONS, self.replies_part)],
            rows_in=chains.rows,
        )

    def _cases(self, context: RunContext) -> list[ReviewCase]:
        lake, part = context.lake, self.part
        return cases_of(
            lake.read(SAMPLES, parts=[part.samples]),
            lake.read(GENERATIONS, parts=[part.chains]),
            lake.read(STEPS, parts=[part.chains]),
            self._rejected(context),
        )

    def _rejected(self, context: RunContext) -> frozenset[str]:
        if not self.part.judged or self.reviewing.params.wrong_answers:
            return frozenset()
        wanted = ["subject_id", "rule", "passed"]
        rows = context.lake.read(VERDICTS, parts=[self.part.chains], columns=wanted).to_pylist()
        return frozenset(
            row["subject_id"]
            for row in rows
            if row["rule"] == ANSWER_MATCH and row["passed"] is False
        )

    def _bought(self, context: RunContext, purchase: Purchase | Walk) -> Iterator[Produced]:
        draws = range(self.reviewing.params.draws)
        items = [ReviewItem(case, draw) for case in self._cases(context) for draw in draws]
        if not items:
            return
        shows = self.reviewing.stage in {Stage.JUDGE, Stage.MASKED}
        wanted = {i.case.image_id for i in items if i.case.image_id is not None} if shows else set()
        with image_shelf(context.lake, self.part.image_parts, wanted) as shelf:
            teacher = self.asking.open_teacher()

            def load(image_id: str) -> bytes:
                return shelf.load(image_id).data

            async def run(item: ReviewItem, go_on: GoOn) -> ReviewResult:
                return await run_review(self.reviewing, item, teacher, load, go_on)

            for results in purchase.groups(items, run):
                yield from self._rows(results)

    def _rows(self, results: Sequence[ReviewResult]) -> Iterator[Produced]:
        asked = self.reviewing
        generations = [row for result in results for row in generation_rows(asked, result)]
        failures = [row for result in results for row in failure_rows(asked, result)]
        yield Produced(GENERATIONS, GENERATIONS.rows(generations))
        yield Produced(FAILURES, FAILURES.rows(failures))

    def _read(self, context: RunContext) -> Iterator[Produced]:
        replies = context.lake.read(GENERATIONS, parts=[self.replies_part])
        found = tables_of(
            replies, self._cases(context), self.reviewing.params, self.review.reading_step
        )
        yield Produced(VERDICTS, found.verdicts)
        yield Produced(STEPS, found.steps)
        yield Produced(FAILURES, found.failures)
