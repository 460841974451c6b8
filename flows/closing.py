"""The end of a build: checks, artifacts, the report page, and a summary small enough to print.

Everything here reads one state of the lake, as it stands after the last commit, so checks, report
and artifacts agree whoever else writes; a re-run that computed nothing ends with the same report.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from prefect import task
from prefect.cache_policies import NO_CACHE

from flows.artifacts import publish_checks, publish_summary, publish_tables
from flows.inspection import report_page
from flows.lakes import open_lake_of
from flows.receipts import keep_receipts
from flows.recipe import Recipe
from flows.schedule import Schedule
from infra.catalog.catalog import Catalog, CheckResult
from infra.lake.lake import Lake
from infra.settings import Settings
from sightline.errors import SightlineError
from tasks.pilot.report import PilotReport

REPORTS = "reports"
"""Folder of the lake that holds report pages."""


class PartsFailedError(SightlineError):
    """Some parts failed after their retries; everything else is committed."""


@dataclass(frozen=True, slots=True)
class BuildSummary:
    """What a build did.

    Attributes:
        recipe: its name.
        lake: where the rows are.
        runs_computed: task runs that computed something.
        runs_reused: task runs that found their result committed.
        calls_made: teacher calls made.
        calls_reused: teacher calls answered by the ledger.
        cost_usd: spent on calls made.
        checks_failed: names of checks of severity `fail` that found rows.
        report: address of the report page.
        pilot: what a pilot says about the whole source; null for a whole build.
    """

    recipe: str
    lake: str
    runs_computed: int
    runs_reused: int
    calls_made: int
    calls_reused: int
    cost_usd: float
    checks_failed: tuple[str, ...]
    report: str
    pilot: PilotReport | None = None

    def sentence(self) -> str:
        """Return the summary as one line for people."""
        if self.runs_computed == 0:
            return (
                f"Nothing to do: all {self.runs_reused} task runs found their result committed; "
                "0 rows recomputed, 0 teacher calls made."
            )
        return (
            f"{self.runs_computed} task runs computed, {self.runs_reused} found their result "
            f"committed; {self.calls_made} teacher calls made for ${self.cost_usd:.2f}, "
            f"{self.calls_reused} answered by the ledger."
        )


def close_build(recipe: Recipe, settings: Settings, schedule: Schedule) -> BuildSummary:
    """Return the summary of a finished build, after checks, report and artifacts.

    Raises:
        PartsFailedError: some parts failed; checks and report were made all the same.
    """
    lake = open_lake_of(settings)
    if settings.ledger_lake is not None:
        keep_receipts(lake, Lake(settings.ledger_lake, settings.storage))
    with Catalog(lake) as catalog:
        checks = run_checks(catalog)
        report = write_report(recipe, lake, catalog, checks)
        publish_tables(catalog)
    summary = _summary(recipe, lake, schedule, checks, report)
    publish_checks(checks)
    publish_summary(_markdown(summary, schedule.problems), report)
    if schedule.problems:
        msg = (
            f"{len(schedule.problems)} task runs failed and {schedule.not_begun} that wait for "
            "them did not begin; everything else is committed: fix the cause and build again: "
            f"{'; '.join(schedule.problems[:3])}"
        )
        raise PartsFailedError(msg)
    return summary


@task(name="checks", task_run_name="checks", cache_policy=NO_CACHE, persist_result=False)
def run_checks(catalog: Catalog) -> list[CheckResult]:
    """Return what every file of sql/checks found."""
    return catalog.checks()


@task(name="report", task_run_name="report", cache_policy=NO_CACHE, persist_result=False)
def write_report(recipe: Recipe, lake: Lake, catalog: Catalog, checks: list[CheckResult]) -> str:
    """Write the report page into the lake and return its address."""
    page = report_page(recipe.name, catalog, checks)
    key = f"{REPORTS}/{recipe.name}.html"
    lake.objects.put(key, page.encode())
    return f"{lake.uri}/{key}"


def _summary(
    recipe: Recipe, lake: Lake, schedule: Schedule, checks: Sequence[CheckResult], report: str
) -> BuildSummary:
    results = schedule.results
    return BuildSummary(
        recipe=recipe.name,
        lake=lake.uri,
        runs_computed=sum(not r.reused for r in results),
        runs_reused=sum(r.reused for r in results),
        calls_made=sum(r.spend.calls_made for r in results),
        calls_reused=sum(r.spend.calls_reused for r in results),
        cost_usd=sum(r.spend.cost_usd for r in results),
        checks_failed=tuple(c.name for c in checks if c.severity == "fail" and not c.passed),
        report=report,
    )


def _markdown(summary: BuildSummary, problems: Sequence[str]) -> str:
    lines = [f"# {summary.recipe}", summary.sentence(), f"Lake: `{summary.lake}`"]
    if summary.checks_failed:
        lines.append(f"Checks that found rows: {', '.join(summary.checks_failed)}")
    lines += [f"- failed: {problem}" for problem in problems]
    return "\n\n".join(lines)
