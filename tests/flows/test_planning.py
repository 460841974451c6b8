"""A plan against what a build then does: what it calls known and next is exact."""

import json
import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest

from flows.closing import BuildSummary
from flows.plan import Plan
from tests.flows.site import TINY, Site

ONE_ROUND = (
    *TINY,
    "steps.distill.rounds=1",
    "embedded_teacher.malformed_share=0",
    "embedded_teacher.truncation_share=0",
)
"""Every chain is one call; those that needed no zoom before are in the ledger."""

JUDGE = "steps.judge={}"

pytestmark = pytest.mark.server


def files(folder: Path) -> set[Path]:
    return {path for path in folder.rglob("*") if path.is_file()}


@dataclass(frozen=True)
class Planned:
    """A plan, the build after it, and the plan after that."""

    before: Plan
    build: BuildSummary
    after: Plan
    written_by_plan: set[Path]
    reviews: Plan
    reviewed: BuildSummary


@pytest.fixture(scope="module")
def planned(tiny: Site, tmp_path_factory: pytest.TempPathFactory) -> Planned:
    site = Site(tmp_path_factory.mktemp("planned"), tiny.prefect_url)
    shutil.copytree(tiny.folder / "lake", site.folder / "lake")
    there = files(site.folder)
    before = site.plan(*ONE_ROUND)
    written = files(site.folder) - there
    build = site.build(*ONE_ROUND)
    after = site.plan(*ONE_ROUND)
    reviews = site.plan(*ONE_ROUND, JUDGE)
    return Planned(before, build, after, written, reviews, site.build(*ONE_ROUND, JUDGE))


def test_plan_knows_what_the_ledger_will_answer_and_what_must_be_bought(planned: Planned):
    (calls,) = planned.before.calls
    assert calls.known == planned.build.calls_reused > 0
    assert calls.next == planned.build.calls_made > 0
    assert calls.chains == calls.known + calls.next
    assert calls.basis == "measured in this lake"


def test_plan_writes_nothing(planned: Planned):
    assert planned.written_by_plan == set()


def test_plan_of_what_is_built_needs_nothing(planned: Planned):
    assert planned.after.new_rows == 0
    assert [step.images for step in planned.after.images] == [0, 0, 0]
    (calls,) = planned.after.calls
    assert (calls.next, calls.later, calls.usd) == (0, 0, 0)


def test_plan_of_reviews_of_built_chains_is_exact(planned: Planned):
    distill, judge = planned.reviews.calls
    assert (distill.next, distill.later) == (0, 0)
    assert (judge.step, judge.later) == ("judge", 0)
    assert judge.next + judge.known == judge.chains
    assert judge.next == planned.reviewed.calls_made > 0


def test_plan_of_a_fresh_lake_is_the_most_it_can_be(tmp_path: Path):
    found = Site(tmp_path, prefect_url="").plan(*TINY, budget_calls=18)
    (calls,) = found.calls
    assert (calls.known, calls.next, calls.later) == (0, 0, 6 * 4 * 3)
    assert calls.basis == "the most it can be"
    assert found.covered == 0.25
    assert [step.images for step in found.images] == [6, 6, 6]
    assert "they allow about 25% of it" in found.text()
    assert json.loads(found.as_json())["calls"][0]["later"] == 72
