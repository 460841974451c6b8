"""What the second asks of a recipe will still cost, for `sightline plan`.

A review of chains that are built is walked against the ledger like the chains themselves.  Chains
that are still to come have no replies to review, so each of them counts as one call per draw,
which is the most there can be: reviews leave out chains that failed.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from flows.recipe import Recipe
from infra.execution import RunContext
from infra.lake.lake import Lake
from infra.ledger.view import LedgerView
from infra.teacher.prices import Price
from sightline.schemas import GENERATIONS, STEPS, VERDICTS
from tasks.asking.live import AskingWork
from tasks.asking.places import Places
from tasks.distill.case import ChainParams
from tasks.distill.estimate import CallPlan, Measured, Question, estimate
from tasks.distill.forecast import Forecast, LedgerAsker, together, wanted_call
from tasks.distill.live import CaseInputs
from tasks.distill.stages import Stage
from tasks.distill.writers import Writer
from tasks.review.live import ReviewPart, ReviewWork
from tasks.review.rounds import Reviewing

WALKED_AT_ONCE = 8


@dataclass(frozen=True, slots=True)
class ReviewPlanner:
    """Plans the reviews of a recipe.

    Attributes:
        recipe: what is built.
        context: the lake.
        bought: the ledger.
        work: what chains are made from.
        built: parts of samples with the writers whose chains about them are as the recipe says.
        to_come: chains that are still to be built, by the writer's name.
    """

    recipe: Recipe
    context: RunContext
    bought: LedgerView
    work: CaseInputs
    built: Sequence[tuple[str, Writer]]
    to_come: Mapping[str, float]

    def plans(self, price_of: Callable[[str], Price | None]) -> Iterator[CallPlan]:
        """Yield what each review will ask about each writer's chains."""
        for reviewing in self.recipe.steps.reviews():
            for writer in self.recipe.steps.distill.params.writers():
                model = reviewing.params.teacher or writer.params.teacher
                yield self._plan(reviewing, writer, price_of(model))

    def _plan(self, reviewing: Reviewing, writer: Writer, price: Price | None) -> CallPlan:
        found = together(
            self._forecast(reviewing, writer, samples_part)
            for samples_part, built_by in self.built
            if built_by == writer
        )
        params = reviewing.params
        one_round = ChainParams(  # a review is a chain of one ask
            teacher=params.teacher or writer.params.teacher,
            rounds=1,
            max_tokens=params.max_tokens,
            max_view_px=params.max_side_px,
        )
        new = self.to_come.get(writer.name, 0.0) * params.draws
        asked = Question(reviewing.review.value, one_round, found, new, price)
        return estimate(asked, Measured())

    def _forecast(self, reviewing: Reviewing, writer: Writer, samples_part: str) -> Forecast:
        asker = LedgerAsker(self.bought)
        asking = AskingWork(lambda: asker, self.bought, Places(WALKED_AT_ONCE))
        judged = self.recipe.steps.verify.enabled
        images = self.work.inputs(samples_part).image_parts
        part = ReviewPart(writer.part_of(samples_part), samples_part, images, judged)
        review = ReviewWork(reviewing, part, asking)
        if review.is_done(self.context):
            return Forecast()
        review.walk(self.context)
        wanted = tuple(wanted_call(request, Stage.SINGLE, 1) for request in asker.wanted)
        return Forecast(len(asker.answers) + len(wanted), frozenset(asker.known), wanted)


def can_be_reviewed(lake: Lake, chains: str, *, judged: bool) -> bool:
    """Return whether everything that a review reads of a part of chains is committed."""
    tables = (GENERATIONS, STEPS, *((VERDICTS,) if judged else ()))
    return all(lake.committed(table, chains) is not None for table in tables)
