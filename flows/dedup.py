"""The dedup flow: deduplication of a lake as it stands, without building anything.

It does what a build does before it asks and after it judged, for every dataset of the lake: keys
of what has none yet, then one decision per kind over everything.  A build with the same parameters
finds its work done.  Nothing is deleted: what is dropped is a row of `duplicates`.  Where the
recipe says so, embeddings are made or bought last, and what they call alike is reported.
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
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
from flows.receipts import keep_receipts
from flows.recipe import Recipe, load_recipe
from flows.runtime import RunNames, open_runtime
from flows.schedule import Schedule
from flows.semantic import submit_semantic
from infra.catalog.catalog import Catalog
from infra.execution import RunContext
from infra.git import git_tree
from infra.lake.lake import Lake
from infra.pool.ray_pool import open_pool
from infra.pool.workers import Pool
from infra.settings import Settings, load_settings
from infra.telemetry import terminal_progress
from sightline.errors import SightlineError
from sightline.provenance import fingerprint_of
from tasks.asking.live import AskingWork
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
        calls_made: embeddings bought.
        calls_reused: embeddings that the ledger held.
        cost_usd: spent on calls made.
    """

    runs_computed: int
    runs_reused: int
    tiers: pa.Table
    calls_made: int = 0
    calls_reused: int = 0
    cost_usd: float = 0.0

    def sentence(self) -> str:
        """Return the summary as one line for people."""
        members = self.tiers.to_pylist()
        dropped = sum(row["n_members"] for row in members if row["decision"] == "drop")
        reported = sum(row["n_members"] for row in members) - dropped
        bought = (
            f" {self.calls_made} embeddings bought for ${self.cost_usd:.2f}, "
            f"{self.calls_reused} found in the ledger."
        )
        return (
            f"{self.runs_computed} task runs computed, {self.runs_reused} found their result "
            f"committed; {dropped} duplicates dropped, {reported} reported."
            f"{bought if self.calls_made + self.calls_reused else ''}"
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
    loaded = None if recipe is None else load_recipe(recipe, overrides or [])
    before, after = parameters(loaded)
    with terminal_progress(settings) as progress:
        names = RunNames(flow_run.get_id(), progress)
        context = RunContext(
            lake=open_lake_of(settings),
            recipe=recipe or NAME,
            recipe_identity=fingerprint_of([asdict(before), asdict(after)]),
            git_tree=git_tree(Path(__file__).parent),
            flow_run_id=names.flow_run_id,
            progress=progress,
        )
        schedule = Schedule(context, settings.max_parts_in_flight)
        with _opened(loaded, settings, names) as (pool, asking):
            if submit_sources(before, schedule, pool):
                submit_chains(after, schedule, pool)
                _report_alike(loaded, schedule, pool, asking)
    if settings.ledger_lake is not None:
        keep_receipts(context.lake, Lake(settings.ledger_lake, settings.storage))
    if schedule.problems:
        msg = f"{len(schedule.problems)} task runs failed: {'; '.join(schedule.problems[:3])}"
        raise DedupFailedError(msg)
    with Catalog(context.lake) as catalog:
        tiers = catalog.run_query("duplicate_tiers")
        publish_tables(catalog, ("duplicate-tiers", "yield-funnel"))
    return _summary(schedule, tiers)


def _summary(schedule: Schedule, tiers: pa.Table) -> DedupSummary:
    results = schedule.results
    reused = sum(result.reused for result in results)
    return DedupSummary(
        runs_computed=len(results) - reused,
        runs_reused=reused,
        tiers=tiers,
        calls_made=sum(result.spend.calls_made for result in results),
        calls_reused=sum(result.spend.calls_reused for result in results),
        cost_usd=sum(result.spend.cost_usd for result in results),
    )


def parameters(recipe: Recipe | None) -> tuple[DedupParams, ChainDedupParams]:
    """Return what decides before and after: a recipe's parameters, or the defaults."""
    if recipe is None:
        return DedupParams(), ChainDedupParams()
    return recipe.steps.dedup.params, recipe.steps.dedup_chains.params


@contextmanager
def _opened(
    recipe: Recipe | None, settings: Settings, names: RunNames
) -> Iterator[tuple[Pool, AskingWork | None]]:
    """Give the workers, and what embeds at an endpoint where the recipe asks one."""
    with ExitStack() as stack:
        if recipe is None or recipe.embedding_model is None:
            pool = open_pool(settings)
            stack.callback(pool.close)
            yield pool, None
        else:
            runtime = stack.enter_context(open_runtime(settings, recipe, names))
            yield runtime.pool, runtime.embedding


def _report_alike(
    recipe: Recipe | None, schedule: Schedule, pool: Pool, asking: AskingWork | None
) -> None:
    if recipe is not None and recipe.steps.dedup_semantic.enabled:
        submit_semantic(recipe.steps.dedup_semantic.params, schedule, pool, asking)
