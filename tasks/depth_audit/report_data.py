"""What the page of a depth audit says, read from the views of a lake.

The views add up and average; here rows become sections.  Everything is plain and frozen, so the
same figures go into the page and into JSON.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import pyarrow as pa

Row = dict[str, Any]

EMBEDDED = "embedded"
"""`model` of the networks shipped for tests: figures about them are of no use for real weights."""


class Query(Protocol):
    """Runs one SELECT with bound values; `Catalog.query` fits."""

    def __call__(self, sql: str, parameters: Any = None) -> pa.Table:
        """Return the rows."""


@dataclass(frozen=True, slots=True)
class Model:
    """Weights that rows are about, under the preprocessing they had."""

    model: str
    weights_sha: str
    preproc_id: str

    @property
    def name(self) -> str:
        """Return a name for people that tells models apart."""
        return f"{self.model} ({self.weights_sha[:8]})"

    @property
    def is_embedded(self) -> bool:
        """Return whether these are the weights shipped for tests."""
        return self.model == EMBEDDED


@dataclass(frozen=True, slots=True)
class NoiseResult:
    """What noise does to the relations of one model's maps.

    Attributes:
        model: whose maps.
        flips: rows of `depth_flips`.
        trust: rows of `depth_trust`.
        shifts: noise level → root mean square change of medians, in nearness.
    """

    model: Model
    flips: tuple[Row, ...]
    trust: tuple[Row, ...]
    shifts: Mapping[float, float]

    def expected(self) -> list[tuple[float, float]]:
        """Return (change of medians, share of decided pairs that turn) by level, from (0, 0)."""
        least = min((row["margin_over"] for row in self.trust), default=0.0)
        points = sorted(
            (self.shifts[row["noise_sd"]], row["expected_error"])
            for row in self.trust
            if row["margin_over"] == least and row["noise_sd"] in self.shifts
        )
        return [(0.0, 0.0), *points] if points else []


@dataclass(frozen=True, slots=True)
class Expectation:
    """What a measured error of medians means for decided relations.

    Attributes:
        model: whose maps.
        benchmark: where the error was measured.
        object_error: root mean square error of medians there, in nearness.
        flipped: share of decided relations that noise of that size turns; None beyond the sweep.
        largest: largest change of medians in the sweep.
    """

    model: Model
    benchmark: str
    object_error: float
    flipped: float | None
    largest: float


@dataclass(frozen=True, slots=True)
class AuditData:
    """Everything on the page.

    Attributes:
        lake: its address.
        noise: per model with maps in the lake.
        quality: rows of `depth_quality`.
        pictures: scores of each picture against true depth: measure → value, and its name.
        human: per model and folder: share of agreement with its interval, of all pictures and of
            those with at least a margin.
        expectations: where both noise and truth are known.
        failures: rows that could not be used, with reasons.
    """

    lake: str
    noise: tuple[NoiseResult, ...]
    quality: tuple[Row, ...]
    pictures: tuple[Row, ...]
    human: tuple[Row, ...]
    expectations: tuple[Expectation, ...]
    failures: tuple[Row, ...]

    @property
    def models(self) -> list[Model]:
        """Return every model that the page is about."""
        rows = [*self.quality, *self.human]
        found = {_model(row) for row in rows} | {result.model for result in self.noise}
        return sorted(found, key=lambda model: (model.model, model.weights_sha, model.preproc_id))


KEYS = "model, weights_sha, preproc_id"
FLIPS = f"""
select {KEYS}, noise_sd, pairs, margin_over, margin_up_to, n_pairs, flipped, reversed, lost
from depth_flips order by {KEYS}, pairs desc, margin_over, noise_sd
"""  # noqa: S608 - no value in it
TRUST = f"""
select {KEYS}, noise_sd, margin_over, n_pairs, kept, expected_error
from depth_trust order by {KEYS}, noise_sd, margin_over
"""  # noqa: S608 - no value in it
SHIFTS = f"""
select {KEYS}, noise_sd, sqrt(sum(value * value * n) / sum(n)) as shift
from depth_scores where measure = 'median_shift' and n > 0
group by {KEYS}, noise_sd order by {KEYS}, noise_sd
"""  # noqa: S608 - no value in it
QUALITY = f"""
select audit, benchmark, {KEYS}, measure, pairs, bin_low, bin_high, note, n_items, n, mean, pooled
from depth_quality where audit = 'truth'
order by benchmark, {KEYS}, measure, pairs, bin_low nulls first, note
"""  # noqa: S608 - no value in it
PICTURES = f"""
select benchmark, item_id, {KEYS}, any_value(note) as note,
    max(value) filter (where measure = 'abs_rel') as abs_rel,
    max(value) filter (where measure = 'delta1') as delta1,
    max(value) filter (where measure = 'spearman') as spearman,
    max(value) filter (where measure = 'point_order' and bin_low is null) as point_order,
    max(value) filter (where measure = 'object_order' and pairs = 'all') as object_order,
    max(value) filter (where measure = 'object_order' and pairs = 'decided') as decided_order,
    max(value) filter (where measure = 'object_kept') as object_kept,
    max(value) filter (where measure = 'object_error') as object_error,
    max(value) filter (where measure = 'valid_share') as valid_share
from depth_scores where audit = 'truth'
group by benchmark, item_id, {KEYS} order by benchmark, {KEYS}, item_id
"""  # noqa: S608 - no value in it
HUMAN = f"""
with bins as (
    select benchmark, {KEYS}, bin_low, count(*) as n, sum(value) as agreed
    from depth_scores where audit = 'human' group by benchmark, {KEYS}, bin_low
),
wide as (
    select benchmark, {KEYS}, bin_low, sum(n) over widest as n, sum(agreed) over widest as agreed
    from bins
    window widest as (partition by benchmark, {KEYS} order by bin_low desc)
),
whole as (
    select benchmark, {KEYS}, null as bin_low, sum(n) as n, sum(agreed) as agreed
    from bins group by benchmark, {KEYS}
)
select benchmark, {KEYS}, bin_low as margin_over, n::bigint as n, agreed / n as agreement,
    wilson(agreed, n).low as low, wilson(agreed, n).high as high
from (from wide where bin_low > 0 union all from whole)
order by benchmark, {KEYS}, margin_over nulls first
"""  # noqa: S608 - no value in it
ERRORS = f"""
select benchmark, {KEYS}, sqrt(sum(value * value * n) / sum(n)) as object_error
from depth_scores where measure = 'object_error' and note is null
group by benchmark, {KEYS} order by benchmark, {KEYS}
"""  # noqa: S608 - no value in it
FAILURES = """
select step, item_id, code, detail from failures
where step in ('depth_truth', 'depth_human') order by step, item_id, code
"""


def audit_data(query: Query, lake: str) -> AuditData:
    """Return what the lake that `query` reads says of its depth."""
    noise = _noise(query)
    return AuditData(
        lake=lake,
        noise=tuple(noise.values()),
        quality=tuple(_rows(query, QUALITY)),
        pictures=tuple(_rows(query, PICTURES)),
        human=tuple(_rows(query, HUMAN)),
        expectations=tuple(_expectations(_rows(query, ERRORS), noise)),
        failures=tuple(_rows(query, FAILURES)),
    )


def _noise(query: Query) -> dict[Model, NoiseResult]:
    flips, trust = _by_model(_rows(query, FLIPS)), _by_model(_rows(query, TRUST))
    shifts = _by_model(_rows(query, SHIFTS))
    return {
        model: NoiseResult(
            model,
            tuple(rows),
            tuple(trust.get(model, ())),
            {row["noise_sd"]: row["shift"] for row in shifts.get(model, ())},
        )
        for model, rows in flips.items()
    }


def _expectations(errors: list[Row], noise: Mapping[Model, NoiseResult]) -> list[Expectation]:
    found = []
    for row in errors:
        model = _model(row)
        points = noise[model].expected() if model in noise else []
        if points:
            moved, turned = zip(*points, strict=True)
            error, largest = row["object_error"], moved[-1]
            flipped = float(np.interp(error, moved, turned)) if error <= largest else None
            found.append(Expectation(model, row["benchmark"], error, flipped, largest))
    return found


def _by_model(rows: list[Row]) -> dict[Model, list[Row]]:
    grouped: dict[Model, list[Row]] = {}
    for row in rows:
        grouped.setdefault(_model(row), []).append(row)
    return grouped


def _model(row: Row) -> Model:
    return Model(row["model"], row["weights_sha"], row["preproc_id"])


def _rows(query: Query, sql: str) -> list[Row]:
    rows: list[Row] = query(sql, []).to_pylist()
    return rows
