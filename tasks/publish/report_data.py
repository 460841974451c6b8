"""What the report says, read from the views of a lake: counts, checks, and chosen samples.

The views decide what a stage, a loss or a dispute is; nothing here counts again.  Values are plain
and frozen, so that a page can be rendered, compared and tested without a lake.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from sightline.errors import FAILURE_DOCS, Failure
from tasks.publish.choice import Query, choose
from tasks.publish.clusters import PairView, TierLine, read_pairs, read_tiers
from tasks.publish.gallery import SampleView, read_samples


class CheckFinding(Protocol):
    """What the report needs of a check's result; `infra.catalog.catalog.CheckResult` fits."""

    @property
    def name(self) -> str:
        """Return the check's name."""

    @property
    def severity(self) -> str:
        """Return `fail` or `warn`."""

    @property
    def purpose(self) -> str:
        """Return what the check promises."""

    @property
    def rows(self) -> int:
        """Return how many rows offend."""


@dataclass(frozen=True, slots=True)
class CheckLine:
    """One check on the page."""

    name: str
    severity: str
    purpose: str
    rows: int

    @property
    def state(self) -> str:
        """Return `passed`, `warned` or `failed`."""
        if self.rows == 0:
            return "passed"
        return "warned" if self.severity == "warn" else "failed"

    @property
    def urgency(self) -> int:
        """Return 0 for what must be looked at first."""
        return ("failed", "warned", "passed").index(self.state)


@dataclass(frozen=True, slots=True)
class ReportOptions:
    """What to put on the page.

    Attributes:
        title: heading of the page.
        recipe: name of the recipe; empty takes the last run's.
        embedded_teachers: model names that are templates, not models, and must be labelled so.
        max_samples: samples in the gallery.
        max_bytes: bound of all embedded pictures of samples together.
        max_pair_bytes: bound of all embedded pictures of duplicates together.
    """

    title: str = "Sightline build"
    recipe: str = ""
    embedded_teachers: frozenset[str] = frozenset()
    max_samples: int = 24
    max_bytes: int = 8_000_000
    max_pair_bytes: int = 2_000_000


@dataclass(frozen=True, slots=True)
class RunFacts:
    """When and with which code the lake was built; times are UTC."""

    recipe: str
    git_tree: str | None
    flow_run_id: str | None
    started_at: datetime | None
    finished_at: datetime | None
    n_runs: int
    n_steps: int


@dataclass(frozen=True, slots=True)
class StageLine:
    """One bar of the funnel."""

    title: str
    n_rows: int
    percent_of_seen: float | None
    percent_of_before: float | None
    n_lost: int
    lost_to: str | None
    decides: bool


@dataclass(frozen=True, slots=True)
class FailureLine:
    """One step and code."""

    step: str
    code: str
    meaning: str
    n_failures: int
    example_item_id: str
    example_detail: str | None


@dataclass(frozen=True, slots=True)
class CostLine:
    """One step that paid."""

    step: str
    teachers: str
    n_calls: int
    n_calls_reused: int
    tokens_in: int | None
    tokens_out: int | None
    cost_usd: float | None
    n_calls_unpriced: int
    cost_usd_per_accepted_chain: float | None


@dataclass(frozen=True, slots=True)
class TeacherLine:
    """One teacher or student, its chains, and what second asks said of them."""

    role: str
    teacher: str
    n_chains: int
    right_percent: float | None
    accepted_percent: float | None
    judge_score: float | None
    n_asked_blind: int
    needs_image_percent: float | None
    n_repairs: int
    n_malformed: int
    n_refused: int
    n_truncated: int
    seconds_p50: float | None


@dataclass(frozen=True, slots=True)
class ReportData:
    """Everything on the page."""

    options: ReportOptions
    facts: RunFacts
    teachers: tuple[str, ...]
    totals: Mapping[str, int]
    side_by_side: tuple[TeacherLine, ...] = ()
    funnel: tuple[StageLine, ...] = ()
    failures: tuple[FailureLine, ...] = ()
    costs: tuple[CostLine, ...] = ()
    checks: tuple[CheckLine, ...] = ()
    tiers: tuple[TierLine, ...] = ()
    pairs: tuple[PairView, ...] = ()
    samples: tuple[SampleView, ...] = ()
    n_chosen: int = 0
    licences: tuple[str, ...] = field(default=())

    @property
    def embedded(self) -> tuple[str, ...]:
        """Return the teachers here that are no models; their text must not pass for a model's."""
        return tuple(name for name in self.teachers if name in self.options.embedded_teachers)


FACTS = """
select
    arg_max(recipe, finished_at) as recipe,
    arg_max(git_tree, finished_at) as git_tree,
    arg_max(flow_run_id, finished_at) as flow_run_id,
    min(started_at) as started_at,
    max(finished_at) as finished_at,
    count(*) as n_runs,
    count(distinct step) as n_steps
from runs
"""
FUNNEL = """
select title, n_rows, percent_of_seen, percent_of_before, n_lost, lost_to, decides
from funnel order by stage_no
"""
FAILURES = """
select step, code, n_failures, example_item_id, example_detail
from failures_by_code order by n_failures desc, step, code
"""
COSTS = """
select step, teachers, n_calls, n_calls_reused, tokens_in, tokens_out, cost_usd,
    n_calls_unpriced, cost_usd_per_accepted_chain
from cost_by_step order by step
"""
TEACHERS = "select distinct teacher from generations where role = 'teacher' order by teacher"
SIDE_BY_SIDE = """
select role, teacher, n_chains, 100 * right_share as right_percent,
    100 * accepted_share as accepted_percent, judge_score, n_asked_blind,
    100 * needs_image_share as needs_image_percent, n_repairs, n_malformed, n_refused,
    n_truncated, seconds_p50
from teachers order by role desc, accepted_percent desc, teacher
"""
TOTALS = """
select
    (select count(*) from images_meta where not is_crop) as images,
    (select count(*) from samples) as samples,
    (select count(*) from objects) as objects,
    (select count(*) from depth_maps) as depth_maps,
    (select count(*) from chains) as chains,
    (select count(*) from accepted_traces) as accepted_traces
"""
LICENCES = """
select distinct coalesce(licence, 'not stated') as licence from samples order by licence
"""


def report_data(
    query: Query, *, checks: Iterable[CheckFinding] = (), options: ReportOptions | None = None
) -> ReportData:
    """Return what the page says about the lake that `query` reads; the same lake, the same page.

    Args:
        query: runs one SELECT with bound values.
        checks: results of `sql/checks`.
        options: what to put on the page.
    """
    wanted = options or ReportOptions()
    chosen = choose(query, wanted.max_samples)
    (facts,) = _rows(query, FACTS)
    (totals,) = _rows(query, TOTALS)
    facts["recipe"] = wanted.recipe or facts["recipe"] or ""
    return ReportData(
        options=wanted,
        facts=RunFacts(**facts),
        teachers=tuple(row["teacher"] for row in _rows(query, TEACHERS)),
        totals=totals,
        side_by_side=tuple(TeacherLine(**row) for row in _rows(query, SIDE_BY_SIDE)),
        funnel=tuple(StageLine(**row) for row in _rows(query, FUNNEL)),
        failures=tuple(
            FailureLine(meaning=_meaning(row["code"]), **row) for row in _rows(query, FAILURES)
        ),
        costs=tuple(CostLine(**row) for row in _rows(query, COSTS)),
        checks=tuple(CheckLine(c.name, c.severity, c.purpose, c.rows) for c in checks),
        tiers=tuple(read_tiers(query)),
        pairs=tuple(read_pairs(query, wanted.max_pair_bytes)),
        samples=tuple(read_samples(query, chosen, wanted.max_bytes)),
        n_chosen=len(chosen),
        licences=tuple(row["licence"] for row in _rows(query, LICENCES)),
    )


def _rows(query: Query, sql: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = query(sql, []).to_pylist()
    return rows


def _meaning(code: str) -> str:
    return FAILURE_DOCS[Failure(code)] if code in set(Failure) else "Unknown code."
