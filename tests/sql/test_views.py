"""Views on real DuckDB: `views/<view>/<case>.yaml` holds input rows and the rows expected of them.

Expected rows name only the columns a case is about; the number of rows always counts.
"""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.sql.healthy import healthy
from tests.sql.lake_tables import SQL, answer, connect

CASES = sorted((Path(__file__).parent / "views").glob("*/*.yaml"))
VIEWS = sorted((SQL / "views").glob("*.sql"))


def ordered(rows: list[dict[str, Any]], key: list[str]) -> list[dict[str, Any]]:
    return sorted(rows, key=lambda row: [str(row[name]) for name in key])


@pytest.mark.parametrize("path", CASES, ids=lambda p: f"{p.parent.name}-{p.stem}")
def test_view_on_the_rows_of_a_case_returns_what_it_promises(path: Path):
    case = yaml.safe_load(path.read_text())
    found = answer(connect(case["given"]), f"select * from {path.parent.name}")  # noqa: S608
    key = [name for name in case["expect"][0] if all(name in row for row in case["expect"])][:2]
    wanted, got = ordered(case["expect"], key), ordered(found, key)
    assert len(got) == len(wanted)
    shown = [{name: row[name] for name in want} for row, want in zip(got, wanted, strict=True)]
    assert shown == wanted


def test_views_all_have_a_case():
    assert sorted({path.parent.name for path in CASES}) == [path.stem for path in VIEWS]


@pytest.mark.parametrize("path", VIEWS, ids=lambda p: p.stem)
def test_view_file_states_its_grain_and_lists_its_columns(path: Path):
    text = path.read_text()
    assert text.startswith(f"-- {path.stem}: ")
    assert "-- Grain: one row per " in text
    assert f"create or replace view {path.stem} as" in text
    assert not re.search(r"\*\s*(?:,|\n\s*from)", text)


def test_funnel_ends_with_as_many_samples_as_accepted_traces_has():
    con = connect(healthy())
    ends = answer(con, "select n_rows from funnel where stage = 'own_rationale'")
    traces = answer(con, "select count(distinct sample_id) as n_rows from accepted_traces")
    assert ends == traces == [{"n_rows": 1}]


def test_dropped_samples_and_accepted_ones_are_all_samples():
    con = connect(healthy())
    dropped = {row["sample_id"] for row in answer(con, "select sample_id from dropped_samples")}
    kept = {row["sample_id"] for row in answer(con, "select sample_id from accepted_traces")}
    assert dropped | kept == {"s1", "s2", "s3"}
    assert not dropped & kept
