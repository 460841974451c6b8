"""A pilot: the flow on some of the rows, whose purchases the full build finds."""

import json
from dataclasses import dataclass

import pytest

from flows.closing import BuildSummary
from flows.pilot import REPORT
from infra.lake.lake import Lake
from tests.flows.artifacts import newest_artifact
from tests.flows.site import TINY, Site
from tests.flows.tables import ask, broken_checks, count

ROWS = 3
"""Of 6 scenes."""

pytestmark = pytest.mark.server

CALLS = "select request_key, draw from ledger order by all"


@dataclass(frozen=True)
class Builds:
    """A pilot, the full build after it, and their lakes."""

    pilot: BuildSummary
    full: BuildSummary
    pilot_lake: Lake
    lake: Lake
    calls_after_pilot: list[dict[str, object]]


@pytest.fixture(scope="module")
def builds(shared_site: Site) -> Builds:
    lake = shared_site.lake("piloted")
    piloted = shared_site.build(*TINY, lake="piloted", pilot=str(ROWS))
    bought = ask(lake, CALLS)
    full = shared_site.build(*TINY, lake="piloted")
    return Builds(piloted, full, Lake(piloted.lake, lake.storage), lake, bought)


def test_pilot_builds_its_rows_in_a_lake_of_its_own(builds: Builds):
    assert count(builds.pilot_lake, "select count(distinct row_key) from samples") <= ROWS
    assert count(builds.pilot_lake, "select count(*) from accepted_traces") > 0
    assert builds.pilot_lake.uri.startswith(f"{builds.lake.uri}/pilots/demo-")


def test_pilot_replies_are_never_bought_again_by_the_full_build(builds: Builds):
    assert builds.pilot.calls_made == len(builds.calls_after_pilot) > 0
    assert builds.full.calls_reused == builds.pilot.calls_made
    assert (
        count(builds.lake, "select count(*) - count(distinct (request_key, draw)) from ledger") == 0
    )


def test_pilot_lake_stands_alone(builds: Builds):
    assert broken_checks(builds.pilot_lake) == {}
    assert ask(builds.pilot_lake, CALLS) == builds.calls_after_pilot


def test_pilot_projection_holds_what_the_full_build_gave(builds: Builds):
    report = builds.pilot.pilot
    assert report is not None
    assert report.projection is not None
    assert (report.rows, report.projection.rows) == (ROWS, 6)
    accepted = count(builds.lake, "select count(distinct sample_id) from accepted_traces")
    calls = count(builds.lake, "select count(*) from ledger")
    for estimate, actual in (
        (report.projection.accepted, accepted),
        (report.projection.calls, calls),
    ):
        assert estimate.low <= actual <= estimate.high
    stored = json.loads(builds.pilot_lake.objects.get(REPORT))
    assert stored["projection"]["rows"] == 6
    assert "The whole source, 6 rows" in report.text()


def test_pilot_shows_its_report_in_prefect(builds: Builds):
    assert builds.pilot.pilot is not None
    assert builds.pilot.pilot.text() in str(newest_artifact("pilot").data)


def test_full_build_is_no_pilot(builds: Builds):
    assert builds.full.pilot is None
    assert builds.full.lake == builds.lake.uri
