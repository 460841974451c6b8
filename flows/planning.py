"""`sightline plan`: what a build would read, ask and pay, before anything is spent.

Exact where the lake knows (rows that are new, samples without a chain, calls already bought);
otherwise a range: a zoomed chain takes from two calls to as many as it may have rounds.  Prices per
call are those measured in the ledger, or the worst case of the price table where none was bought.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from flows.recipe import Recipe, load_recipe
from infra.catalog.catalog import Catalog
from infra.lake.lake import Lake
from infra.settings import Settings, load_settings
from infra.teacher.prices import Price, Prices
from tasks.ingest.work import IngestWork, known_rows

UNASKED = """
select count(*) as n
from samples
where
    regexp_full_match(part, $dataset || '-[0-9a-f]{8}')
    and len(image_ids) > 0
    and question is not null
    and sample_id not in (select subject_id from generations where teacher = $teacher)
    and sample_id not in (select item_id from duplicates where item_id <> kept_id)
"""
BOUGHT = """
select
    count(*) as n_calls,
    avg(cost_usd) as mean_usd,
    avg(tokens_in) as mean_in,
    avg(tokens_out) as mean_out
from ledger
where teacher = $teacher
"""
TYPICAL_PROMPT_BYTES = 2_000
"""Length of a prompt with a full object list; enters the worst case only."""


@dataclass(frozen=True, slots=True)
class CallPrice:
    """Dollars per call; null if the model has no price."""

    usd: float | None
    basis: str


def plan_recipe(recipe: str, lake: str | None, overrides: Sequence[str]) -> str:
    """Return the plan of a build as text.

    Raises:
        UsageError: the recipe, a setting or the source is not usable.
    """
    settings = load_settings(lake=lake)
    loaded = load_recipe(recipe, overrides)
    opened = Lake(settings.lake, settings.storage)
    work = IngestWork(loaded.source(), loaded.images, known_rows(opened), loaded.part_rows)
    new_rows = sum(len(plan.rows) for plan in work.plans.values())
    lines = [
        f"Recipe {loaded.name} into {settings.lake}",
        f"  new source rows: {new_rows} in {len(work.plans)} parts",
    ]
    if loaded.steps.distill.enabled:
        lines += _teacher_lines(loaded, settings, Catalog(opened), new_rows)
    else:
        lines.append("  distill is off: no teacher calls")
    return "\n".join(lines)


def _teacher_lines(
    recipe: Recipe, settings: Settings, catalog: Catalog, new_rows: int
) -> list[str]:
    params = recipe.steps.distill.params
    teacher = params.teacher
    values = {"dataset": recipe.dataset, "teacher": teacher}
    (waiting,) = catalog.query(UNASKED, values)["n"].to_pylist()
    (bought,) = catalog.query(BOUGHT, {"teacher": teacher}).to_pylist()
    samples = waiting + new_rows * recipe.samples_per_row
    least, most = samples, samples * max(params.rounds, 1)
    price = _price(Prices.load(settings.prices_file).find(teacher), bought["mean_usd"], recipe)
    new = samples - waiting
    return [
        f"  samples to ask about: {samples} ({waiting} in the lake, {new} new at most)",
        f"  calls: {least} to {most} of {teacher}; {bought['n_calls']} are in the ledger already",
        f"  dollars: {_dollars(least, most, price)}",
        f"  caps: {_cap(settings.budget_usd, '$')} and {_cap(settings.budget_calls, '')} calls",
    ]


def _price(listed: Price | None, measured_usd: float | None, recipe: Recipe) -> CallPrice:
    if measured_usd is not None:
        return CallPrice(measured_usd, "mean price of the calls in the ledger")
    if listed is None:
        return CallPrice(None, "the price table does not list this model")
    worst = listed.worst_case_usd(TYPICAL_PROMPT_BYTES, 1, recipe.steps.distill.params.max_tokens)
    return CallPrice(worst, "worst case of the price table")


def _dollars(least: int, most: int, price: CallPrice) -> str:
    if price.usd is None:
        return f"unknown; {price.basis}"
    return f"${least * price.usd:.2f} to ${most * price.usd:.2f} ({price.basis})"


def _cap(value: float | None, unit: str) -> str:
    return "none" if value is None else f"{unit}{value:g}"
