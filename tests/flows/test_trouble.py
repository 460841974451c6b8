"""Builds that fail or are stopped: a clear message, a sound lake, and the next one completes."""

import signal

import pytest

from flows.closing import PartsFailedError
from tests.flows.processes import ledger_calls, processes_of, spooled_calls, wait_until
from tests.flows.site import TINY, Site
from tests.flows.tables import broken_checks, content, count

NOBODY = "http://127.0.0.1:9/v1"
WHO_PAID = frozenset({"calls_made", "calls_reused"})
WHICH_RECIPE = WHO_PAID | {"recipe_identity"}
BUDGET = 5

pytestmark = pytest.mark.server


def test_teacher_does_not_answer_build_fails_and_the_next_completes(site: Site, tiny: Site):
    cause = r"^2 task runs failed and 6 that wait for them.*cannot connect to http://127\.0\.0\.1:9"
    with pytest.raises(PartsFailedError, match=cause):
        site.build(*TINY, teacher_base_url=NOBODY, max_retries=0)
    lake = site.lake()
    assert broken_checks(lake) == {}
    assert count(lake, "select count(*) from generations") == 0
    assert count(lake, "select count(distinct image_id) from depth_maps") > 0
    site.build(*TINY)
    assert content(lake, WHO_PAID) == content(tiny.lake(), WHO_PAID)


def test_teacher_answers_with_errors_only_no_part_counts_and_the_next_build_completes(
    site: Site, tiny: Site
):
    with pytest.raises(PartsFailedError, match=r"no answer to \d+ of \d+ chains.*HTTP 500"):
        site.build(*TINY, "embedded_teacher.server_error_share=1.0", max_retries=0)
    lake = site.lake()
    assert broken_checks(lake) == {}
    assert count(lake, "select count(*) from generations") == 0
    site.build(*TINY)
    assert content(lake, WHICH_RECIPE) == content(tiny.lake(), WHICH_RECIPE)


def test_weights_are_missing_other_steps_finish_and_the_next_build_completes(
    site: Site, tiny: Site
):
    with pytest.raises(PartsFailedError, match=r"depth demo-[0-9a-f]{8}: .*no-such-folder"):
        site.build(*TINY, "steps.depth.weights=./no-such-folder")
    lake = site.lake()
    assert broken_checks(lake) == {}
    assert count(lake, "select count(*) from segments") > 0
    assert count(lake, "select count(*) from objects") == 0
    site.build(*TINY)
    assert content(lake, WHICH_RECIPE) == content(tiny.lake(), WHICH_RECIPE)


def test_budget_of_calls_is_spent_build_stops_and_keeps_all_it_bought(site: Site, tiny: Site):
    with pytest.raises(PartsFailedError, match=r"(?i)budget|cap"):
        site.build(*TINY, budget_calls=BUDGET)
    lake = site.lake()
    assert broken_checks(lake) == {}
    assert ledger_calls(lake).total() == BUDGET
    resumed = site.build(*TINY)
    everything = ledger_calls(tiny.lake()).total()
    assert resumed.calls_made == everything - BUDGET
    assert content(lake, WHO_PAID) == content(tiny.lake(), WHO_PAID)


def test_source_is_not_there_nothing_is_started(site: Site):
    done = site.command("build", "visreason", "--set", "source.path=/no/such/rows.jsonl")
    assert done.returncode == 2
    assert "/no/such/rows.jsonl" in done.stderr
    assert not (site.folder / "lake").exists()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("signum", "pool"),
    [(signal.SIGINT, "local"), pytest.param(signal.SIGTERM, "ray", marks=pytest.mark.ray)],
)
def test_build_is_asked_to_end_leaves_a_consistent_lake_and_no_children(
    site: Site, tiny: Site, signum: signal.Signals, pool: str
):
    slow = [f"--set={change}" for change in (*TINY, "embedded_teacher.latency_ms=150")]
    lake = site.lake()
    build = site.start("build", "demo", *slow, pool=pool, teacher_concurrency=2)
    assert wait_until(lambda: len(spooled_calls(site.folder, lake)) >= 4, 90)
    build.send_signal(signum)
    out, err = build.communicate(timeout=60)
    assert build.returncode not in {0, 2}, (out, err)
    assert "Traceback" not in err
    assert wait_until(lambda: not processes_of(site.folder), 20), processes_of(site.folder)
    assert broken_checks(lake) == {}
    bought = ledger_calls(lake)
    assert bought.total() >= 4
    assert spooled_calls(site.folder, lake) == []
    resumed = site.build(*TINY)
    assert resumed.calls_made == ledger_calls(tiny.lake()).total() - bought.total()
    assert content(lake, WHICH_RECIPE) == content(tiny.lake(), WHICH_RECIPE)
