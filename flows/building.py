"""`sightline build`: run a recipe's flow against a Prefect API and print what came of it.

The Prefect environment is set before Prefect is imported, because Prefect reads it once.  Whatever
this command started (server, Ray, embedded teacher) it also ends.
"""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flows.inspection import text_table
from flows.recipe import Recipe, load_recipe
from flows.running import opened_flow
from infra.catalog.catalog import Catalog
from infra.lake.lake import Lake
from infra.settings import load_settings, process_environment, set_environment
from infra.telemetry import configure_logging
from sightline.errors import UsageError
from sightline.reader import sql_files
from tasks.ingest.pilot_rows import PilotSize

if TYPE_CHECKING:
    from flows.batch import BatchBuild
    from flows.calibrate import CalibrateSummary
    from flows.closing import BuildSummary
    from flows.dedup import DedupSummary
    from flows.reparse import RereadSummary

EXIT_DONE, EXIT_PROBLEMS = 0, 1


def build_recipe(
    recipe: str, lake: str | None, overrides: Sequence[str], pilot: str | None = None
) -> int:
    """Build a recipe or a pilot of it, print the outcome and return the exit code.

    Raises:
        UsageError: the recipe, a setting or the source is not usable; nothing was started.
        PartsFailedError: some parts failed; the others are committed.
    """
    settings = load_settings(lake=lake)
    configure_logging(settings)
    set_environment(process_environment(settings))
    loaded = load_recipe(recipe, overrides)
    if pilot is not None:
        PilotSize.parse(pilot)
    loaded.source()
    with opened_flow(settings, loaded.flow) as flow:
        what = loaded.name if pilot is None else f"a pilot ({pilot}) of {loaded.name}"
        _say(f"Building {what} into {settings.lake}; watch it at {flow.ui_url}/runs")
        given = {"recipe": recipe, "lake": settings.lake, "overrides": list(overrides)}
        summary: BuildSummary = flow.run(given | {"pilot": pilot})
    _print_outcome(loaded, Lake(summary.lake, settings.storage), summary)
    return EXIT_PROBLEMS if summary.checks_failed else EXIT_DONE


def reparse_recipe(recipe: str, lake: str | None, overrides: Sequence[str]) -> str:
    """Read the stored replies of a recipe again and return what changed, as text.

    Raises:
        UsageError: the recipe or a setting is not usable; nothing was started.
        RereadFailedError: some parts failed; the others are committed.
    """
    settings = load_settings(lake=lake)
    configure_logging(settings)
    set_environment(process_environment(settings))
    load_recipe(recipe, overrides)
    with opened_flow(settings, "reparse") as flow:
        given = {"recipe": recipe, "lake": settings.lake, "overrides": list(overrides)}
        summary: RereadSummary = flow.run(given)
    return summary.text()


def dedup_lake(lake: str | None, recipe: str | None, overrides: Sequence[str]) -> None:
    """Find the duplicates of a lake as it stands, and print what each tier found.

    Raises:
        UsageError: the recipe or a setting is not usable; nothing was started.
        DedupFailedError: some task runs failed; the others are committed.
    """
    settings = load_settings(lake=lake)
    configure_logging(settings)
    set_environment(process_environment(settings))
    if overrides and recipe is None:
        msg = "expected --recipe with --set: there is nothing to change without a recipe"
        raise UsageError(msg)
    if recipe is not None:
        load_recipe(recipe, overrides)
    with opened_flow(settings, "dedup") as flow:
        given = {"lake": settings.lake, "recipe": recipe, "overrides": list(overrides)}
        summary: DedupSummary = flow.run(given)
    _say(f"\n{summary.sentence()}\n")
    catalog = Catalog(Lake(settings.lake, settings.storage))
    for name in ("duplicate_tiers", "yield_funnel"):
        _say(f"{_purpose(name)}  (sql/queries/{name}.sql)")
        _say(text_table(catalog.run_query(name)))


def calibrate_lake(pairs: Path, lake: str | None, given: Mapping[str, Any]) -> str:
    """Read a cosine threshold from labelled pairs, and return what they say, as text.

    Args:
        pairs: JSONL file.
        lake: that keeps the threshold; the settings' lake if null.
        given: further parameters of the flow.

    Raises:
        UsageError: the recipe, the pairs or a setting is not usable.
        CalibrateFailedError: no threshold reaches the wanted precision.
    """
    settings = load_settings(lake=lake)
    configure_logging(settings)
    set_environment(process_environment(settings))
    load_recipe(given["recipe"], given["overrides"])
    with opened_flow(settings, "calibrate") as flow:
        named = {"pairs": str(pairs.resolve()), "lake": settings.lake}
        summary: CalibrateSummary = flow.run({**named, **given})
    return summary.text()


def build_in_batches(recipe: str, lake: str | None, overrides: Sequence[str], *, wait: bool) -> int:
    """Send what a recipe lacks in batches, build it once all is answered; return the exit code.

    Args:
        recipe: recipe file, or the name of one that ships with the project.
        lake: lake to build in; the settings' lake if null.
        overrides: `dotted.key=value` changes to the recipe.
        wait: stay until it is built; else make one wave.

    Raises:
        UsageError: the recipe, a setting or the source is not usable; nothing was started.
        TeacherError: the endpoint refuses a batch, or a cap is reached.
        PartsFailedError: some parts failed; the others are committed.
    """
    settings = load_settings(lake=lake)
    configure_logging(settings)
    set_environment(process_environment(settings))
    loaded = load_recipe(recipe, overrides)
    loaded.source()
    with opened_flow(settings, "batch_distill", "batch") as flow:
        _say(f"{loaded.name} in batches into {settings.lake}; watch it at {flow.ui_url}/runs")
        given = {"recipe": recipe, "lake": settings.lake, "overrides": list(overrides)}
        found: BatchBuild = flow.run(given | {"wait": wait})
    if found.build is None:
        _say(found.sentence())
        return EXIT_DONE
    _print_outcome(loaded, Lake(settings.lake, settings.storage), found.build)
    return EXIT_PROBLEMS if found.build.checks_failed else EXIT_DONE


def _print_outcome(recipe: Recipe, lake: Lake, summary: "BuildSummary") -> None:
    catalog = Catalog(lake)
    _say(f"\n{summary.sentence()}\n")
    if summary.pilot is not None:
        _say(f"{summary.pilot.text()}\n")
    for name in ("yield_funnel", *recipe.show):
        _say(f"{_purpose(name)}  (sql/queries/{name}.sql)")
        _say(text_table(catalog.run_query(name)))
    if summary.checks_failed:
        _say(f"Checks that found rows: {', '.join(summary.checks_failed)}; see `sightline check`")
    _say(f"Report: {summary.report}")
    _say("Next:")
    for command in ("sql -f sql/queries/failures.sql", "check", "export llava --out export"):
        name, _, rest = command.partition(" ")
        _say(f"  sightline {name} --lake {lake.uri} {rest}".rstrip())
    _say("  sightline ui")


def _purpose(name: str) -> str:
    """Return the first comment line of a packaged query."""
    for file in sql_files("queries"):
        if file.name == f"{name}.sql":
            first = file.read_text(encoding="utf-8").splitlines()[0]
            return first.removeprefix("-- Purpose:").strip().capitalize()
    return name


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()
