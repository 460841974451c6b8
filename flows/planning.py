"""`sightline plan`: what a build would read, ask and pay, before anything is spent.

The chains of samples in the lake are walked against the ledger, so what is known of them is exact:
the calls that cost nothing any more, and the next call of every chain.  What comes after is
estimated from chains of this dataset, else from a pilot of the recipe, else it is the most it can
be.  A part that is committed is never asked again and needs nothing.  Nothing is written, bought
or downloaded.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import pyarrow as pa

from flows.dataset_parts import DatasetParts, inputs_of, source_parts
from flows.evidence import Evidence, evidence_of
from flows.inspection import text_table
from flows.recipe import Recipe, load_recipe
from flows.runtime import open_lake_of
from infra.execution import RunContext
from infra.lake.lake import Lake
from infra.ledger.view import LedgerView
from infra.settings import Settings, load_settings
from infra.teacher.prices import Price, Prices
from sightline.errors import LakeError
from sightline.schemas import DEPTH_MAPS, GENERATIONS, IMAGES, OBJECTS, SEGMENTS, Contract
from tasks.distill.estimate import CallPlan, Question, estimate
from tasks.distill.forecast import Forecast, forecast_part, forecast_unannotated, together
from tasks.distill.live import CaseInputs
from tasks.distill.task import chain_job
from tasks.distill.writers import Writer
from tasks.ingest.work import IngestWork, known_rows


@dataclass(frozen=True, slots=True)
class ImagePlan:
    """Images that a step of the workers still has to look at; those of new rows at most."""

    step: str
    images: int


@dataclass(frozen=True, slots=True)
class Plan:
    """What a build would do.

    Attributes:
        recipe: its name.
        lake: where it would build.
        new_rows: source rows that the lake does not hold.
        new_parts: parts they would make.
        images: per step of the workers.
        calls: per asking step and teacher.
        channel: live, or batch, where calls are cheaper.
        cap_usd: most dollars a run may spend; null is no cap.
        cap_calls: most calls a run may make; null is no cap.
    """

    recipe: str
    lake: str
    new_rows: int
    new_parts: int
    images: tuple[ImagePlan, ...]
    calls: tuple[CallPlan, ...]
    channel: str
    cap_usd: float | None
    cap_calls: int | None

    @property
    def usd(self) -> float | None:
        """Return the expected price of all calls; null if one is not known."""
        prices = [plan.usd for plan in self.calls]
        return None if None in prices else sum(price or 0.0 for price in prices)

    @property
    def covered(self) -> float | None:
        """Return the share of the calls that the caps allow; null without a cap that matters."""
        calls = sum(plan.calls for plan in self.calls)
        shares = [1.0]
        if self.cap_calls is not None and calls > 0:
            shares.append(self.cap_calls / calls)
        if self.cap_usd is not None and self.usd:
            shares.append(self.cap_usd / self.usd)
        return None if self.cap_usd is None and self.cap_calls is None else min(shares)

    def as_json(self) -> str:
        """Return the plan as JSON text."""
        return json.dumps(asdict(self) | {"usd": self.usd, "covered": self.covered}, indent=2)

    def text(self) -> str:
        """Return the plan as lines for people."""
        lines = [
            f"Recipe {self.recipe} into {self.lake}",
            f"  new source rows: {self.new_rows} in {self.new_parts} parts",
            *(f"  {plan.step}: {plan.images} images" for plan in self.images),
        ]
        if not self.calls:
            return "\n".join([*lines, "  distill is off: no teacher calls"])
        rows = [_row(plan) for plan in self.calls]
        lines += ["", text_table(pa.Table.from_pylist(rows)).rstrip(), ""]
        lines += [f"  {p.teacher}: {p.basis}" for p in self.calls if p.calls]
        lines.append(f"  price of what is to buy ({self.channel}): {_dollars(self.usd)}")
        lines.append(f"  caps: {_caps(self)}")
        return "\n".join(lines)


def plan_recipe(
    recipe: str, lake: str | None, overrides: Sequence[str], *, batch: bool = False
) -> Plan:
    """Return the plan of a build.

    Raises:
        UsageError: the recipe, a setting or the source is not usable.
    """
    settings = load_settings(lake=lake)
    loaded = load_recipe(recipe, overrides)
    opened = open_lake_of(settings)
    work = IngestWork(loaded.source(), loaded.images, known_rows(opened), loaded.part_rows)
    new_rows = sum(len(plan.rows) for plan in work.plans.values())
    parts = source_parts(opened, loaded.dataset)
    evidence = evidence_of(loaded, settings)
    calls = _Calls(loaded, settings, opened, parts, evidence)
    return Plan(
        recipe=loaded.name,
        lake=settings.lake,
        new_rows=new_rows,
        new_parts=len(work.plans),
        images=tuple(_images(loaded, opened, parts, new_rows)),
        calls=tuple(calls.plans(new_rows, batch=batch)) if loaded.steps.distill.enabled else (),
        channel="batch" if batch else "live",
        cap_usd=settings.budget_usd,
        cap_calls=settings.budget_calls,
    )


def _images(recipe: Recipe, lake: Lake, parts: DatasetParts, new_rows: int) -> Iterator[ImagePlan]:
    steps = recipe.steps
    tables: dict[str, tuple[bool, Contract]] = {
        "depth": (steps.depth.enabled, DEPTH_MAPS),
        "segment": (steps.segment.enabled, SEGMENTS),
        "ground": (steps.ground.enabled, OBJECTS),
    }
    rows_of = {part.part: part.rows for part in lake.parts(IMAGES)}
    for step, (is_enabled, contract) in tables.items():
        if is_enabled:
            done = lake.committed_among(contract, parts.images)
            waiting = sum(rows_of[part] for part in parts.images if part not in done)
            yield ImagePlan(step, waiting + new_rows)


class _Calls:
    """The calls of a recipe, writer by writer."""

    def __init__(
        self,
        recipe: Recipe,
        settings: Settings,
        lake: Lake,
        parts: DatasetParts,
        evidence: Evidence,
    ) -> None:
        self._recipe, self._lake, self._parts, self._evidence = recipe, lake, parts, evidence
        self._prices = Prices.load(settings.prices_file)
        ledger_lake = settings.ledger_lake
        home = lake if ledger_lake is None else Lake(ledger_lake, settings.storage)
        self._bought = LedgerView(home, settings.spool_path)
        self._context = RunContext(lake, recipe.name, recipe.identity)
        inputs = inputs_of(lake, parts.samples)
        self._work = CaseInputs(inputs.__getitem__, uses_objects=recipe.steps.ground.enabled)

    def plans(self, new_rows: int, *, batch: bool) -> Iterator[CallPlan]:
        """Yield what each writer will be asked."""
        samples = new_rows * self._evidence.samples_per_row
        is_new = not self._parts.samples  # else a walk finds what the pilot bought
        for writer in self._recipe.steps.distill.params.writers():
            found = together(self._forecast(part, writer) for part in self._parts.samples)
            asked = Question(
                step="distill",
                params=writer.params,
                found=found,
                new_chains=samples * writer.draws,
                price=self._price(writer, batch=batch),
                new_known=self._evidence.piloted.get(writer.params.teacher, 0) if is_new else 0,
            )
            yield estimate(asked, self._evidence.measured(writer.params.teacher))

    def _price(self, writer: Writer, *, batch: bool) -> Price | None:
        price = self._prices.find(writer.params.teacher)
        return price.in_batch() if batch and price is not None else price

    def _forecast(self, samples_part: str, writer: Writer) -> Forecast:
        part = writer.part_of(samples_part)
        try:
            job = chain_job(part, samples_part, writer, self._work, self._lake)
        except LakeError:  # what its prompts list is not in the lake yet
            return forecast_unannotated(samples_part, writer, self._work, self._context)
        if self._lake.is_done(GENERATIONS, part, job.fingerprint):
            return Forecast()
        return forecast_part(samples_part, writer, self._work, self._context, self._bought)


def _row(plan: CallPlan) -> dict[str, Any]:
    return {
        "step": plan.step,
        "teacher": plan.teacher,
        "chains": plan.chains,
        "in the ledger": plan.known,
        "next calls": plan.next,
        "later calls": round(plan.later),
        "tokens in": round(plan.tokens_in),
        "tokens out": round(plan.tokens_out),
        "dollars": "unknown" if plan.usd is None else f"{plan.usd:.4f}",
    }


def _dollars(usd: float | None) -> str:
    return "unknown; the price table does not list every teacher" if usd is None else f"${usd:.2f}"


def _caps(plan: Plan) -> str:
    if plan.covered is None:
        return "none"
    usd = "no" if plan.cap_usd is None else f"${plan.cap_usd:g}"
    calls = "no" if plan.cap_calls is None else f"{plan.cap_calls}"
    share = "all of it" if plan.covered >= 1 else f"about {plan.covered:.0%} of it"
    return f"{usd} dollars, {calls} calls: they allow {share}"
