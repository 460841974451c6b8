"""`sightline build RECIPE --pilot SIZE`: the whole flow on a sample of the source rows.

A pilot writes into a lake of its own, below the lake it is for, and pays from that lake's ledger.
So its rows mix with no others, while every reply it buys is one that the full build finds.  The
lake is named after the recipe's identity: a larger pilot of the same recipe goes on where a smaller
one stopped.
"""

import json
from dataclasses import dataclass
from typing import Any

from flows.lakes import open_lake_of
from flows.recipe import Recipe
from infra.catalog.catalog import Catalog
from infra.settings import Settings
from tasks.ingest.pilot_rows import PilotSize, PilotSource
from tasks.pilot.projection import RowYield, project
from tasks.pilot.report import PilotReport, StageYield, StepTime

FOLDER = "pilots"
REPORT = "pilot.json"
"""Key of the report in the pilot's lake."""

CALLS = """
select
    count(*) as n_calls,
    avg(latency_ms) / 1000 as mean_call_s
from ledger
"""
UNPAID_STEPS = """
select
    step,
    sum(epoch(finished_at - started_at)) as seconds
from runs
where step not in (select step from ledger)
group by step
order by seconds desc
"""


@dataclass(frozen=True, slots=True)
class Pilot:
    """A pilot build: where it writes and what it reads."""

    settings: Settings
    source: PilotSource


def open_pilot(recipe: Recipe, settings: Settings, size: str) -> Pilot:
    """Return the pilot of `recipe` for the lake that `settings` name.

    Raises:
        UsageError: the size is not one, or the source cannot be used.
    """
    own = {
        "lake": pilot_lake(recipe, settings),
        "ledger_lake": settings.ledger_lake or settings.lake,
    }
    source = PilotSource(recipe.source(), PilotSize.parse(size))
    return Pilot(settings.model_copy(update=own), source)


def pilot_lake(recipe: Recipe, settings: Settings) -> str:
    """Return the address of the lake of this recipe's pilots."""
    return f"{settings.lake.rstrip('/')}/{FOLDER}/{recipe.name}-{recipe.identity}"


def conclude(recipe: Recipe, pilot: Pilot, calls_bought: int) -> PilotReport:
    """Return what the pilot says about the whole source, and store it in the pilot's lake."""
    lake = open_lake_of(pilot.settings)
    with Catalog(lake) as catalog:
        rows = [_yield(row) for row in catalog.run_query("row_yields").to_pylist()]
        (calls,) = catalog.query(CALLS).to_pylist()
        report = PilotReport(
            recipe=recipe.name,
            recipe_identity=recipe.identity,
            lake=lake.uri,
            rows=len(rows),
            calls=calls["n_calls"],
            calls_bought=calls_bought,
            mean_call_s=calls["mean_call_s"],
            calls_at_once=pilot.settings.teacher_concurrency,
            stages=tuple(map(_stage, catalog.run_query("yield_intervals").to_pylist())),
            steps=tuple(StepTime(**row) for row in catalog.query(UNPAID_STEPS).to_pylist()),
            projection=project(rows, pilot.source.listed),
        )
    lake.objects.put(REPORT, json.dumps(report.as_json(), indent=1).encode())
    return report


def _yield(row: dict[str, Any]) -> RowYield:
    return RowYield(row["n_accepted"], row["n_calls"], row["cost_usd"])


def _stage(row: dict[str, Any]) -> StageYield:
    return StageYield(
        row["stage"], row["n_rows"], row["percent"], row["percent_low"], row["percent_high"]
    )
