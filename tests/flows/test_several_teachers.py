"""Two teachers with draws, and their chains looked at again: a whole build over real HTTP."""

import shutil
from collections.abc import Iterator

import pytest

from infra.lake.lake import Lake
from tests.flows.processes import ledger_calls
from tests.flows.site import Site
from tests.flows.tables import ask, broken_checks, content, count

RECIPE = "demo_teachers"
SMALL = ("source.n=4", "part_rows=4", "embedded_teacher.malformed_share=0.4")
NOBODY = "http://127.0.0.1:9/v1"
"""An address where no teacher answers: a build that asks anything fails."""

pytestmark = pytest.mark.server


@pytest.fixture(scope="module")
def built(shared_site: Site) -> Site:
    shared_site.build(*SMALL, recipe=RECIPE)
    return shared_site


@pytest.fixture
def lake(built: Site) -> Lake:
    return built.lake()


@pytest.fixture
def copy(built: Site, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    place = Site(tmp_path_factory.mktemp("copy"), built.prefect_url)
    shutil.copytree(built.folder / "lake", place.folder / "lake")
    yield place
    shutil.rmtree(place.folder)


def test_every_sample_has_a_chain_per_teacher_and_draw(lake: Lake):
    rows = ask(
        lake, "select teacher, draw, count(distinct sample_id) as n from chains group by all"
    )
    asked = count(lake, "select count(*) from sample_fates where askable")
    assert {(r["teacher"], r["draw"]): r["n"] for r in rows} == {
        ("sightline-embedded", 0): asked,
        ("sightline-embedded-b", 0): asked,
        ("sightline-embedded-b", 1): asked,
    }
    assert broken_checks(lake) == {}


def test_malformed_replies_were_sent_back_and_repaired(lake: Lake):
    assert count(lake, "select count(*) from generations where turn = 1 and role = 'teacher'") > 0
    assert count(lake, "select count(*) from chains where turns > 0 and complete") > 0


def test_chains_with_a_right_answer_are_judged_reworded_and_asked_without_the_image(lake: Lake):
    right = {r["chain_id"] for r in ask(lake, "select chain_id from chains where answer_right")}
    assert right
    for rule in ("judge", "rewrite_keeps_answer", "needs_image"):
        rows = ask(lake, f"select subject_id, passed from verdicts where rule = '{rule}'")  # noqa: S608
        assert {row["subject_id"] for row in rows} == right, rule
        assert sum(row["passed"] is not None for row in rows) > len(rows) / 2, rule
    roles = {row["role"] for row in ask(lake, "select distinct role from generations")}
    assert roles == {"teacher", "judge", "rewriter", "blind"}


def test_the_same_question_is_asked_blind_once_per_teacher(lake: Lake):
    blind = "from generations where role = 'blind' and turn is null"
    calls = count(lake, f"select count(distinct request_key) {blind}")
    assert 0 < calls < count(lake, f"select count(*) {blind}")
    assert set(ledger_calls(lake).values()) == {1}


def test_reworded_traces_are_accepted_chains_in_other_words(lake: Lake):
    rows = ask(lake, "select chain_id, rounds from rewritten_traces")
    accepted = {r["chain_id"] for r in ask(lake, "select chain_id from chains where accepted")}
    assert rows
    assert {row["chain_id"] for row in rows} <= accepted
    assert all(part["reworded"] != part["reasoning"] for row in rows for part in row["rounds"])


def test_one_teacher_less_leaves_the_others_as_they_are_and_asks_nothing(copy: Site):
    before = content(copy.lake())
    alone = "steps.distill.teachers=[{model: sightline-embedded}]"
    summary = copy.build(*SMALL, alone, recipe=RECIPE, teacher_base_url=NOBODY)
    assert (summary.calls_made, summary.calls_reused) == (0, 0)
    after = content(copy.lake())
    writers = {dict(row)["part"].split(".")[-2] for row in after["generations"]}
    assert writers == {"sightline-embedded"}
    assert all(row in before["generations"] for row in after["generations"])
    assert broken_checks(copy.lake()) == {}


def test_another_threshold_judges_again_and_asks_nobody(copy: Site):
    strict = ("steps.judge.threshold=1.01", "steps.needs_image.most_right=1.0")
    summary = copy.build(*SMALL, *strict, recipe=RECIPE, teacher_base_url=NOBODY)
    assert (summary.calls_made, summary.calls_reused) == (0, 0)
    judged = "select count(*) from verdicts where rule = 'judge' and passed"
    needed = "select count(*) from verdicts where rule = 'needs_image' and not passed"
    assert (count(copy.lake(), judged), count(copy.lake(), needed)) == (0, 0)
