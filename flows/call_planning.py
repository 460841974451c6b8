"""Which calls a recipe still needs: its chains walked against the ledger, then their reviews.

Chains of a part come in three kinds: built (the part is committed and needs nothing), walkable
(everything that its prompts list is in the lake), and to be annotated first, of which only the
kind of the first call is known.
"""

from collections.abc import Iterator

from flows.dataset_parts import DatasetParts, inputs_of
from flows.evidence import evidence_of
from flows.lakes import ledger_lake_of, open_lake_of
from flows.recipe import Recipe
from flows.review_planning import ReviewPlanner, can_be_reviewed
from infra.execution import RunContext
from infra.images.shelf import image_shelf
from infra.ledger.view import LedgerView
from infra.settings import Settings
from infra.teacher.prices import Price, Prices
from sightline.errors import LakeError
from sightline.schemas import GENERATIONS
from tasks.distill.estimate import CallPlan, Question, estimate
from tasks.distill.forecast import Forecast, forecast, forecast_unannotated, together
from tasks.distill.live import CaseInputs, chain_job, read_cases
from tasks.distill.views import ViewCutter
from tasks.distill.writers import Writer


class CallPlanner:
    """The calls of a recipe, writer by writer and review by review."""

    def __init__(
        self, recipe: Recipe, settings: Settings, parts: DatasetParts, *, batch: bool
    ) -> None:
        self._recipe, self._parts, self._batch = recipe, parts, batch
        self._lake = lake = open_lake_of(settings)
        self._prices = Prices.load(settings.prices_file)
        self._evidence = evidence_of(recipe, settings)
        self._bought = LedgerView(ledger_lake_of(settings), settings.spool_path)
        self._context = RunContext(lake, recipe.name, recipe.identity)
        inputs = inputs_of(lake, parts.samples)
        self._work = CaseInputs(inputs.__getitem__, uses_objects=recipe.steps.ground.enabled)

    def plans(self, new_rows: int) -> Iterator[CallPlan]:
        """Yield what each writer will be asked, then what each review will ask."""
        new_samples = self.new_samples(new_rows)
        to_come: dict[str, float] = {}
        for writer in self._recipe.steps.distill.params.writers():
            plan = self._plan(writer, new_samples * writer.draws)
            to_come[writer.name] = plan.chains
            yield plan
        yield from self._reviews(to_come).plans(self._price)

    def new_samples(self, new_rows: int) -> float:
        """Return how many samples so many new source rows give, as expected."""
        return new_rows * self._evidence.samples_per_row

    def _plan(self, writer: Writer, new_chains: float) -> CallPlan:
        teacher = writer.params.teacher
        is_new = not self._parts.samples  # else a walk finds what the pilot bought
        asked = Question(
            step="distill",
            params=writer.params,
            found=together(self._forecast(part, writer) for part in self._parts.samples),
            new_chains=new_chains,
            price=self._price(teacher),
            new_known=self._evidence.piloted.get(teacher, 0) if is_new else 0,
        )
        return estimate(asked, self._evidence.measured(teacher))

    def _forecast(self, samples_part: str, writer: Writer) -> Forecast:
        try:
            if self._is_built(samples_part, writer):
                return Forecast()
        except LakeError:  # what its prompts list is not in the lake yet
            plain = CaseInputs(self._work.inputs, uses_objects=False)
            return forecast_unannotated(read_cases(self._context, samples_part, writer, plain))
        return self._walked(samples_part, writer)

    def _walked(self, samples_part: str, writer: Writer) -> Forecast:
        cases = read_cases(self._context, samples_part, writer, self._work)
        wanted = {case.image_id for case in cases if case.image_id is not None}
        image_parts = self._work.inputs(samples_part).image_parts
        with image_shelf(self._lake, image_parts, wanted) as shelf:
            return forecast(cases, self._bought, ViewCutter(shelf.load))

    def _is_built(self, samples_part: str, writer: Writer) -> bool:
        part = writer.part_of(samples_part)
        job = chain_job(part, samples_part, writer, self._work, self._lake)
        return self._lake.is_done(GENERATIONS, part, job.fingerprint)

    def _reviews(self, to_come: dict[str, float]) -> ReviewPlanner:
        judged = self._recipe.steps.verify.enabled
        built = [
            (part, writer)
            for part in self._parts.samples
            for writer in self._recipe.steps.distill.params.writers()
            if can_be_reviewed(self._lake, writer.part_of(part), judged=judged)
            and self._is_built(part, writer)
        ]
        return ReviewPlanner(
            self._recipe, self._context, self._bought, self._work, tuple(built), to_come
        )

    def _price(self, teacher: str) -> Price | None:
        price = self._prices.find(teacher)
        return price.in_batch() if self._batch and price is not None else price
