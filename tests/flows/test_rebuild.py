"""What a build does again and what it does not: equal results, and only what changed is new."""

import re
import shutil
from collections.abc import Iterator

import pytest

from infra.lake.lake import Lake
from sightline.schemas import CONTRACTS, LEDGER
from sightline.snapshot import Snapshot
from tests.flows.processes import ledger_calls
from tests.flows.site import TINY, Site
from tests.flows.tables import ask, broken_checks, content, count

PARTS = 2
STEPS = ("ingest", "image_keys", "depth", "segment", "ground", "distill", "parse", "verify")
PER_PART = dict.fromkeys(STEPS, 1) | {"text_keys": 2}
"""Runs of a part; its questions are keyed, and its chains."""
PER_LAKE = {"dedup_images": 1, "dedup": 1, "dedup_chains": 1}
ALL_OF_A_PART = sum(PER_PART.values())
NOBODY = "http://127.0.0.1:9/v1"
"""An address where no teacher answers: a build that asks anything fails."""

pytestmark = pytest.mark.server


@pytest.fixture
def copy(tiny: Site, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """The same lake in another place, free to change."""
    place = Site(tmp_path_factory.mktemp("copy"), tiny.prefect_url)
    shutil.copytree(tiny.folder / "lake", place.folder / "lake")
    yield place
    shutil.rmtree(place.folder)


def versions(lake: Lake) -> dict[str, int | None]:
    return {
        name: Snapshot.read(lake.uri, contract, None, None).version
        for name, contract in CONTRACTS.items()
    }


def rows_of_parts(lake: Lake, parts: set[str]) -> dict[str, list[object]]:
    kept = {}
    for name, rows in content(lake).items():
        if name not in {"duplicates", LEDGER.name, "runs"}:
            kept[name] = [r for r in rows if dict(r)["part"].rpartition(".")[2] in parts]
    return kept


def steps_computed(lake: Lake, since: set[str]) -> dict[str, int]:
    rows = ask(lake, "select step, run_id from runs where step <> 'ledger'")
    steps = [row["step"] for row in rows if row["run_id"] not in since]
    return {step: steps.count(step) for step in steps}


def run_ids(lake: Lake) -> set[str]:
    return {row["run_id"] for row in ask(lake, "select run_id from runs")}


def test_other_settings_equal_tables(tiny: Site, site: Site):
    summary = site.build(*TINY, max_parts_in_flight=4, teacher_concurrency=12)
    assert summary.runs_computed == len(PER_LAKE) + PARTS * ALL_OF_A_PART
    expected, found = content(tiny.lake()), content(site.lake())
    for name, rows in expected.items():
        assert found[name] == rows, name
    assert {name for name, rows in expected.items() if rows} >= {
        "images", "samples", "generations", "steps", "verdicts", "objects", "relations", "ledger"
    }  # fmt: skip


def test_same_recipe_again_commits_and_asks_nothing(copy: Site):
    before = versions(copy.lake())
    summary = copy.build(
        *TINY, teacher_base_url=NOBODY, pool="ray", ray_address="ray://127.0.0.1:9"
    )
    assert (summary.runs_computed, summary.calls_made, summary.calls_reused) == (0, 0, 0)
    assert summary.runs_reused == len(PER_LAKE) + PARTS * (ALL_OF_A_PART - 1)
    assert "Nothing to do" in summary.sentence()
    assert versions(copy.lake()) == before


def test_rows_appended_compute_and_ask_only_for_the_new_part(copy: Site):
    lake = copy.lake()
    old_parts = {p.part for p in lake.parts(CONTRACTS["samples"])}
    old_rows, old_runs, old_calls = (
        rows_of_parts(lake, old_parts),
        run_ids(lake),
        ledger_calls(lake),
    )
    summary = copy.build(*TINY, "source.n=8")
    assert steps_computed(lake, old_runs) == PER_PART | PER_LAKE
    assert summary.runs_computed == len(PER_LAKE) + ALL_OF_A_PART
    assert summary.runs_reused == PARTS * (ALL_OF_A_PART - 1)
    assert summary.calls_made + old_calls.total() == ledger_calls(lake).total()
    assert summary.calls_made > 0
    assert rows_of_parts(lake, old_parts) == old_rows
    assert count(lake, "select count(*) from samples") == 6 * 4 + 4  # scene 6 is cut on purpose
    assert broken_checks(lake) == {}


def test_verify_parameter_changed_judges_again_and_asks_nothing(copy: Site):
    lake = copy.lake()
    before, runs = content(lake), run_ids(lake)
    summary = copy.build(*TINY, "steps.verify.least_iou=0.95", teacher_base_url=NOBODY)
    after = content(lake)
    assert steps_computed(lake, runs) == {"verify": PARTS, "dedup_chains": 1}
    assert (summary.calls_made, summary.calls_reused) == (0, 0)
    assert after["verdicts"] != before["verdicts"]
    assert {n for n in before if before[n] != after[n]} == {"verdicts", "runs"}
    assert broken_checks(lake) == {}


def test_distill_parameter_changed_asks_only_what_was_never_asked(copy: Site):
    lake = copy.lake()
    calls, runs = ledger_calls(lake), run_ids(lake)
    summary = copy.build(*TINY, "steps.distill.stop_ratio=6.0")
    new_calls = ledger_calls(lake) - calls
    again = ("distill", "parse", "text_keys", "verify")
    assert steps_computed(lake, runs) == dict.fromkeys(again, PARTS) | {"dedup_chains": 1}
    assert summary.calls_made == new_calls.total()
    assert summary.calls_reused > summary.calls_made
    assert set(ledger_calls(lake).values()) == {1}
    assert broken_checks(lake) == {}


def test_parameter_changed_back_asks_nothing(copy: Site):
    lake = copy.lake()
    before = content(lake)
    copy.build(*TINY, "steps.distill.stop_ratio=6.0")
    summary = copy.build(*TINY, teacher_base_url=NOBODY)
    assert summary.calls_made == 0
    after = content(lake)
    for name in ("generations", "steps", "verdicts"):
        assert after[name] == before[name], name


def test_two_builds_at_once_give_one_dataset_and_buy_each_call_once(tiny: Site, site: Site):
    changes = [f"--set={change}" for change in (*TINY, "embedded_teacher.latency_ms=40")]
    builds = [site.start("build", "demo", *changes, pool="local") for _ in range(2)]
    ends = [build.communicate(timeout=150) for build in builds]
    assert [build.returncode for build in builds] == [0, 0], ends
    lake, without = site.lake(), frozenset({"calls_made", "calls_reused", "recipe_identity"})
    assert broken_checks(lake) == {}
    assert content(lake, without) == content(tiny.lake(), without)
    made = [int(found) for out, _ in ends for found in re.findall(r"(\d+) teacher calls made", out)]
    assert sum(made) == ledger_calls(lake).total()
