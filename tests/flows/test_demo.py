"""The demo as it ships: its numbers agree with each other, and a second build does nothing."""

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from infra.lake.lake import Lake
from infra.lake.objects import StorageOptions
from sightline.schemas import GENERATIONS, LEDGER
from tests.flows.processes import processes_of
from tests.flows.site import Site
from tests.flows.tables import ask, broken_checks, count

pytestmark = [pytest.mark.server, pytest.mark.ray, pytest.mark.slow]

STAGES = "select stage, n_rows from funnel where decides order by stage_no"


@pytest.fixture(scope="module")
def lake(demo_lake: Path) -> Lake:
    return Lake(demo_lake, StorageOptions())


@pytest.fixture
def copy(demo_lake: Path, site: Site) -> Iterator[Site]:
    """The demo's lake in a place of its own."""
    shutil.copytree(demo_lake, site.folder / "lake")
    yield site
    shutil.rmtree(site.folder / "lake")


def test_funnel_never_grows_and_ends_with_accepted_traces(lake: Lake):
    stages = ask(lake, STAGES)
    counts = [row["n_rows"] for row in stages if row["stage"] != "seen"]
    assert counts == sorted(counts, reverse=True)
    assert counts[-1] > 0.6 * counts[0]
    assert counts[0] > counts[1]


@pytest.mark.parametrize(
    ("stage", "sql"),
    [
        (
            "seen",
            """select (select count(*) from samples)
            + (select count(distinct item_id) from failures where step = 'ingest')""",
        ),
        ("ingested", "select count(*) from samples"),
        (
            "kept",
            """select count(*) from samples where sample_id not in (
            select item_id from dropped_items where item_kind = 'sample')""",
        ),
        ("begun", "select count(distinct subject_id) from generations"),
        ("complete", "select count(*) from chains where complete"),
        ("own_rationale", "select count(distinct sample_id) from accepted_traces"),
    ],
)
def test_funnel_stage_equals_its_table(lake: Lake, stage: str, sql: str):
    by_stage = {row["stage"]: row["n_rows"] for row in ask(lake, STAGES)}
    assert by_stage[stage] == count(lake, sql)


def test_every_row_lost_has_a_reason(lake: Lake):
    lost = ask(lake, "select stage, n_lost, lost_to from funnel where n_lost > 0 and stage_no > 2")
    for row in lost:
        reasons = [int(n) for n in re.findall(r" (\d+)(?:,|$)", row["lost_to"])]
        assert sum(reasons) == row["n_lost"], row


def test_checks_find_nothing(lake: Lake):
    assert broken_checks(lake) == {}


def test_copies_are_found_and_not_asked_about(lake: Lake):
    rows = ask(
        lake,
        "select item_id from duplicates where item_kind = 'sample' and item_id <> kept_id",
    )
    asked = ask(lake, "select distinct subject_id from generations")
    assert rows
    assert not {r["item_id"] for r in rows} & {r["subject_id"] for r in asked}


def test_faults_become_failures_of_several_codes(lake: Lake):
    codes = {(r["step"], r["code"]) for r in ask(lake, "select distinct step, code from failures")}
    assert ("ingest", "image_truncated") in codes
    assert {step for step, _ in codes} > {"ingest"}
    assert len({code for _, code in codes}) >= 4


def test_every_reply_is_labelled_as_the_embedded_teachers(lake: Lake):
    for contract in (GENERATIONS, LEDGER):
        assert set(lake.read(contract, columns=["teacher"])["teacher"].to_pylist()) == {
            "sightline-embedded"
        }


def test_every_call_of_the_ledger_was_made_once_and_gave_a_reply(lake: Lake):
    calls = {(r["request_key"], r["draw"]) for r in ask(lake, "from ledger")}
    replies = {(r["request_key"], r["draw"]) for r in ask(lake, "from generations")}
    assert replies <= calls
    assert len(calls) == count(lake, "select count(*) from ledger")
    assert len(calls) == count(lake, "select sum(calls_made) from runs")
    asked_again = "select count(*) from ledger where outcome = 'truncated'"
    assert 0 < len(calls - replies) <= count(lake, asked_again)


def test_report_loads_nothing_from_elsewhere(lake: Lake):
    page = lake.objects.get("reports/demo.html").decode()
    loads = re.findall(r"""(?:src|srcset|href|action|data)\s*=\s*["']?\s*(https?:|//)""", page)
    assert loads == []
    assert not re.search(r"url\(\s*['\"]?(https?:|//)|@import", page)
    assert "sightline-embedded" in page


def test_second_build_starts_no_workers_and_no_teacher_and_says_so(copy: Site):
    own = Site(copy.folder, copy.prefect_url)
    build = own.start("build", "demo")
    seen: set[str] = set()
    while build.poll() is None:
        seen.update(processes_of(own.folder))
    out, err = build.communicate()
    assert build.returncode == 0, err[-3000:]
    assert re.search(r"Nothing to do: all \d+ task runs found their result committed; "
                     r"0 rows recomputed, 0 teacher calls made\.", out)  # fmt: skip
    started = " ".join(seen)
    assert "sightline build demo" in started
    for program in ("raylet", "gcs_server", "embedded_teacher"):
        assert program not in started
