"""The dedup flow: deduplication of a lake as it stands, without building anything.

It does what a build does before it asks and after it judged, for every dataset of the lake: keys
of what has none yet, then one decision per kind over everything.  A build with the same parameters
finds its work done.  Nothing is deleted: what is dropped is a row of `duplicates`.
"""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, cast

import pyarrow as pa
from prefect import flow
from prefect.futures import PrefectFuture
from prefect.runtime import flow_run
from prefect.task_runners import TaskRunner, ThreadPoolTaskRunner

from flows.artifacts import publish_tables
from flows.deduping import submit_chains, submit_sources
from flows.lakes import open_lake_of
from flows.logs import open_logs
from flows.recipe import load_recipe
from flows.schedule import Schedule
from infra.catalog.catalog import Catalog
from infra.execution import RunContext
from infra.git import git_tree
from infra.pool.ray_pool import open_pool
from infra.settings import Settings, load_settings
from infra.telemetry import terminal_progress
from sightline.errors import SightlineError
from sightline.provenance import fingerprint_of
from tasks.dedup.params import ChainDedupParams, DedupParams

NAME = "dedup"
THREADS = 16
_RUNNER = cast("TaskRunner[PrefectFuture[Any]]", ThreadPoolTaskRunner(max_workers=THREADS))


class DedupFailedError(SightlineError):
    """Some keys or decisions could not be made; the others are committed."""


@dataclass(frozen=True, slots=True)
class DedupSummary:
    """What deduplication found.

    Attributes:
        runs_computed: task runs that computed something.
        runs_reused: task runs that found their result committed.
        tiers: what each tier found, as `sql/queries/duplicate_tiers.sql` gives it.
    """

    runs_computed: int
    runs_reused: int
    tiers: pa.Table

    def sentence(self) -> str:
        """Return the summary as one line for people."""
        members = self.tiers.to_pylist()
        dropped = sum(row["n_members"] for row in members if row["decision"] == "drop")
        reported = sum(row["n_members"] for row in members) - dropped
        return (
            f"{self.runs_computed} task runs computed, {self.runs_reused} found their result "
            f"committed; {dropped} duplicates dropped, {reported} reported."
        )


@flow(name=NAME, task_runner=_RUNNER, persist_result=False)
def dedup(
    lake: str | None = None, recipe: str | None = None, overrides: list[str] | None = None
) -> DedupSummary:
    """Find the duplicates of a lake and return what each tier found.

    Args:
        lake: folder or `s3://bucket/prefix`; the settings' lake if not given.
        recipe: whose parameters decide; the defaults if not given.
        overrides: `dotted.key=value` changes to the recipe.

    Raises:
        RecipeError: the recipe does not hold what a recipe holds.
        DedupFailedError: a task run failed after its retries; the others are committed.
    """
    settings = load_settings(lake=lake)
    open_logs(settings)
    before, after = parameters(recipe, overrides or [])
    with terminal_progress(settings) as progress:
        context = RunContext(
            lake=open_lake_of(settings),
            recipe=recipe or NAME,
            recipe_identity=fingerprint_of([asdict(before), asdict(after)]),
            git_tree=git_tree(Path(__file__).parent),
            flow_run_id=flow_run.get_id(),
            progress=progress,
        )
        schedule = Schedule(context, settings.max_parts_in_flight)
        _settle(before, after, settings, schedule)
    if schedule.problems:
        msg = f"{len(schedule.problems)} task runs failed: {'; '.join(schedule.problems[:3])}"
        raise DedupFailedError(msg)
    with Catalog(context.lake) as catalog:
        tiers = catalog.run_query("duplicate_tiers")
        publish_tables(catalog, ("duplicate-tiers", "yield-funnel"))
    reused = sum(result.reused for result in schedule.results)
    return DedupSummary(len(schedule.results) - reused, reused, tiers)


def parameters(recipe: str | None, overrides: list[str]) -> tuple[DedupParams, ChainDedupParams]:
    """Return what decides before and after: a recipe's parameters, or the defaults."""
    if recipe is None:
        return DedupParams(), ChainDedupParams()
    steps = load_recipe(recipe, overrides).steps
    return steps.dedup.params, steps.dedup_chains.params


def _settle(
    before: DedupParams, after: ChainDedupParams, settings: Settings, schedule: Schedule
) -> None:
    pool = open_pool(settings)
    try:
        if submit_sources(before, schedule, pool):
            submit_chains(after, schedule, pool)
    finally:
        pool.close()
