"""What earlier chains of a dataset say about those to come: measured here, else in a pilot.

A lake that was built before says more about its own rows than a pilot does, a pilot more than
nothing.  Rows of other datasets say nothing, so they are left out.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from flows.pilot import pilot_lake
from flows.recipe import Recipe
from infra.catalog.catalog import Catalog
from infra.lake.lake import Lake
from infra.settings import Settings
from tasks.distill.estimate import CallSize, Measured
from tasks.distill.stages import Stage

ASKABLE = """
with listed as (
    select
        row_key,
        part
    from samples
    union
    select
        item_id as row_key,
        part
    from failures
    where step = 'ingest'
)

select
    (
        select count(*)
        from sample_fates
        inner join samples on sample_fates.sample_id = samples.sample_id
        where
            sample_fates.askable
            and regexp_full_match(samples.part, $dataset || '-[0-9a-f]{8}')
    ) as n_askable,
    (
        select count(distinct row_key)
        from listed
        where regexp_full_match(part, '(ingest\\.)?' || $dataset || '-[0-9a-f]{8}')
    ) as n_rows
"""
CHAIN_CALLS = """
select
    teacher,
    count(*) as n
from ledger
where step = 'distill'
group by teacher
"""


@dataclass(frozen=True, slots=True)
class Evidence:
    """What is known of rows and chains like those to come.

    Attributes:
        samples_per_row: questions to ask per source row.
        shapes: by teacher.
        piloted: calls that the recipe's pilot holds, by teacher.
    """

    samples_per_row: float
    shapes: Mapping[str, Measured] = field(default_factory=dict)
    piloted: Mapping[str, int] = field(default_factory=dict)

    def measured(self, teacher: str) -> Measured:
        """Return what chains of `teacher` were like."""
        return self.shapes.get(teacher, Measured())


def evidence_of(recipe: Recipe, settings: Settings) -> Evidence:
    """Return what the settings' lake says of `recipe`, and its pilot where that says nothing."""
    places = {"this lake": settings.lake, "the pilot": pilot_lake(recipe, settings)}  # it is last
    per_row: float | None = None
    shapes: dict[str, Measured] = {}
    piloted: dict[str, int] = {}
    for origin, uri in places.items():
        with Catalog(Lake(uri, settings.storage)) as catalog:
            per_row = per_row or _samples_per_row(catalog, recipe.dataset)
            shapes = _shapes(catalog, recipe.dataset, origin) | shapes
            piloted = {row["teacher"]: row["n"] for row in catalog.query(CHAIN_CALLS).to_pylist()}
    bound = float(recipe.samples_per_row)
    return Evidence(bound if per_row is None else min(per_row, bound), shapes, piloted)


def _samples_per_row(catalog: Catalog, dataset: str) -> float | None:
    (found,) = catalog.query(ASKABLE, {"dataset": dataset}).to_pylist()
    return found["n_askable"] / found["n_rows"] if found["n_rows"] else None


def _shapes(catalog: Catalog, dataset: str, origin: str) -> dict[str, Measured]:
    rows = [r for r in catalog.run_query("chain_shape").to_pylist() if r["dataset"] == dataset]
    teachers = {row["teacher"] for row in rows}
    return {name: _measured([r for r in rows if r["teacher"] == name], origin) for name in teachers}


def _measured(rows: list[dict[str, Any]], origin: str) -> Measured:
    first = [row for row in rows if row["round"] == 1]
    chains = sum(row["n_chains"] for row in first)
    calls = sum((1 + row["more_calls"]) * row["n_chains"] for row in first)
    prices = [row["cost_usd"] for row in rows]
    return Measured(
        calls_per_chain=calls / chains if chains else None,
        more_calls={(Stage(row["stage"]), row["round"]): row["more_calls"] for row in rows},
        sizes={stage: size for stage in Stage if (size := _size(rows, stage)) is not None},
        usd_per_call=None if None in prices else _mean(rows, "cost_usd"),
        origin=origin,
    )


def _size(rows: list[dict[str, Any]], stage: Stage) -> CallSize | None:
    own = [row for row in rows if row["stage"] == stage.value and row["tokens_in"] is not None]
    if not own:
        return None
    return CallSize(_mean(own, "tokens_in"), _mean(own, "tokens_out"))


def _mean(rows: list[dict[str, Any]], column: str) -> float:
    """Return the mean of a column of means, each as often as it has chains."""
    chains = sum(row["n_chains"] for row in rows)
    return float(sum(row[column] * row["n_chains"] for row in rows) / chains)
