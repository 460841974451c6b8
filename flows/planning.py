"""`sightline plan`: what a build would read, ask and pay, before anything is spent.

The chains of samples in the lake are walked against the ledger, so what is known of them is exact:
the calls that cost nothing any more, and the next call of every chain.  What comes after is
estimated from chains of this dataset, else from a pilot of the recipe, else it is the most it can
be.  A part that is committed is never asked again and needs nothing.  Nothing is written, bought
or downloaded.
"""

from collections.abc import Iterator, Sequence

from flows.call_planning import CallPlanner
from flows.dataset_parts import DatasetParts, source_parts
from flows.embedding_planning import plan_embeddings
from flows.lakes import open_lake_of
from flows.plan import ImagePlan, Plan
from flows.recipe import Recipe, load_recipe
from infra.lake.lake import Lake
from infra.settings import Settings, load_settings
from sightline.schemas import DEPTH_MAPS, DETECTIONS, IMAGES, OBJECTS, SEGMENTS, Contract
from tasks.distill.estimate import CallPlan
from tasks.ingest.work import IngestWork, known_rows


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
    planner = CallPlanner(loaded, settings, parts, batch=batch)
    return Plan(
        recipe=loaded.name,
        lake=settings.lake,
        new_rows=new_rows,
        new_parts=len(work.plans),
        images=tuple(_images(loaded, opened, parts, new_rows)),
        calls=tuple(_calls(loaded, settings, planner, new_rows)),
        channel="batch" if batch else "live",
        cap_usd=settings.budget_usd,
        cap_calls=settings.budget_calls,
    )


def _calls(
    recipe: Recipe, settings: Settings, planner: CallPlanner, new_rows: int
) -> Iterator[CallPlan]:
    asked = tuple(planner.plans(new_rows)) if recipe.steps.distill.enabled else ()
    yield from asked
    chains = sum(plan.chains for plan in asked if plan.step == "distill")
    yield from plan_embeddings(recipe, settings, planner.new_samples(new_rows), chains)


def _images(recipe: Recipe, lake: Lake, parts: DatasetParts, new_rows: int) -> Iterator[ImagePlan]:
    steps = recipe.steps
    tables: dict[str, tuple[bool, Contract]] = {
        "depth": (steps.depth.enabled, DEPTH_MAPS),
        "detect": (steps.detect.enabled, DETECTIONS),
        "segment": (steps.segment.enabled, SEGMENTS),
        "ground": (steps.ground.enabled, OBJECTS),
    }
    rows_of = {part.part: part.rows for part in lake.parts(IMAGES)}
    for step, (is_enabled, contract) in tables.items():
        if is_enabled:
            done = lake.committed_among(contract, parts.images)
            waiting = sum(rows_of[part] for part in parts.images if part not in done)
            yield ImagePlan(step, waiting + new_rows)
