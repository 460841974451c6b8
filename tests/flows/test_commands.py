"""Exit codes and messages that scripts can rely on: 0 done, 1 problems found, 2 wrong usage."""

import json
from pathlib import Path

import pytest

from infra.lake.lake import Lake
from infra.lake.objects import StorageOptions
from sightline.schemas import SAMPLES, VERDICTS
from tests.factories import commit, payload_of
from tests.flows.site import Site


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """A place without a Prefect API: none of these commands may need one."""
    return Site(tmp_path, prefect_url="")


@pytest.fixture
def lake(site: Site) -> Lake:
    """A lake with three samples on no image."""
    lake = Lake(site.folder / "lake", StorageOptions())
    samples = payload_of(SAMPLES, 3, dataset="cub", answer=lambda i: f"a{i}")
    commit(lake, SAMPLES, samples, part="cub-00000001")
    return lake


@pytest.mark.parametrize(
    ("override", "named"),
    [
        ("steps.distill.round=4", ["'round'", "'rounds'", "'stop_ratio'"]),
        ("steps.distil.rounds=4", ["'distil'", "'distill'"]),
        ("sauce.n=4", ["'sauce'", "'part_rows'"]),
        ("source.count=4", ["'count'", "'questions_per_scene'"]),
        ("source.kind=scene", ["'scene'", "'scenes'"]),
        ("steps.distill.rounds=many", ["rounds", "'many'"]),
        ("embedded_teacher.wrong_share=1", ["'wrong_share'", "'wrong_answer_share'"]),
        ("rounds", ["dotted.key=value", "'rounds'"]),
    ],
)
def test_wrong_recipe_key_exits_2_with_one_line_that_names_the_known_ones(
    site: Site, override: str, named: list[str]
):
    done = site.command("build", "demo", "--set", override)
    assert done.returncode == 2
    (line,) = done.stderr.strip().splitlines()
    assert line.startswith("sightline: ")
    assert [name for name in named if name not in line] == []
    assert not (site.folder / "lake").exists()


def test_unknown_setting_exits_2_with_a_hint(site: Site):
    done = site.command("plan", "demo", budget_call="5")
    assert done.returncode == 2
    assert done.stderr.strip().splitlines() == [
        "sightline: unknown variable SIGHTLINE_BUDGET_CALL; did you mean SIGHTLINE_BUDGET_CALLS?"
    ]


def test_unknown_recipe_exits_2_and_names_the_shipped_ones(site: Site):
    done = site.command("build", "demmo")
    assert done.returncode == 2
    assert "'demo'" in done.stderr
    assert "'visreason'" in done.stderr


def test_check_on_a_sound_lake_exits_0(site: Site, lake: Lake):
    done = site.command("check")
    assert (done.returncode, lake.uri) == (0, str(site.folder / "lake"))
    assert "found no rows" in done.stdout


def test_check_on_a_lake_broken_on_purpose_exits_1_and_names_the_check(site: Site, lake: Lake):
    commit(lake, VERDICTS, payload_of(VERDICTS, 2, subject_id="nobody", rule=lambda i: f"r{i}"))
    done = site.command("check")
    assert done.returncode == 1
    assert "fail  verdicts_have_subject (2 rows)" in done.stdout


@pytest.mark.usefixtures("lake")
def test_sql_prints_rows_in_the_wanted_format(site: Site):
    query = "select dataset, count(*) as n from samples group by dataset"
    done = site.command("sql", query, "--format", "json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == [{"dataset": "cub", "n": 3}]


@pytest.mark.usefixtures("lake")
@pytest.mark.parametrize(
    "arguments",
    [
        ["select nothing from samples"],
        ["selec 1"],
        ["drop view samples"],
        ["select 1; select 2"],
        ["copy samples to 'out.csv'"],
        ["-f", "no-such-file.sql"],
        [],
        ["select 1", "-f", "also.sql"],
        ["select 1", "--format", "xml"],
    ],
)
def test_sql_that_does_not_run_exits_2(site: Site, arguments: list[str]):
    done = site.command("sql", *arguments)
    assert done.returncode == 2
    assert done.stderr.strip()
    assert "Traceback" not in done.stderr
    assert done.stdout == ""
    assert not (site.folder / "out.csv").exists()


def test_plan_of_a_fresh_lake_spends_and_writes_nothing(site: Site):
    done = site.command("plan", "demo", "--set", "source.n=5")
    assert done.returncode == 0, done.stderr
    assert "new source rows: 5" in done.stdout
    assert not (site.folder / "lake").exists()
