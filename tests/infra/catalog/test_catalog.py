"""The catalog answers SQL, runs checks, and cannot be made to write."""

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from infra.catalog.catalog import Catalog, check_header
from infra.catalog.format import to_format
from infra.lake.lake import Lake
from sightline.errors import LakeError, UsageError
from sightline.reader import sql_files
from sightline.schemas import FAILURES
from tests.factories import commit, payload_of


@pytest.fixture
def filled(lake: Lake) -> Lake:
    commit(lake, FAILURES, payload_of(FAILURES, 30, code="no_such_code"), "p")
    return lake


def test_query_binds_parameters(filled: Lake) -> None:
    catalog = Catalog(filled)
    found = catalog.query("select item_id from failures where item_id = ?", ["item_id-7"])
    assert found.to_pylist() == [{"item_id": "item_id-7"}]
    hostile = "' or 1=1 --"
    named = catalog.query("select item_id from failures where item_id = $id", {"id": hostile})
    assert named.num_rows == 0


def test_catalog_keeps_its_state_until_refreshed(filled: Lake) -> None:
    catalog = Catalog(filled)
    count = "select count(*) as n from failures"
    assert catalog.query(count).to_pylist() == [{"n": 30}]
    commit(filled, FAILURES, payload_of(FAILURES, 1), "q")
    assert catalog.query(count).to_pylist() == [{"n": 30}]
    catalog.refresh()
    assert catalog.query(count).to_pylist() == [{"n": 31}]


@pytest.mark.parametrize(
    "sql",
    [
        "copy (select 1) to '{out}'",
        "explain analyze copy (select 1) to '{out}'",
        "/* x */ explain analyze copy (select 1) to '{out}'",
        "copy (select 1 as a) to '{data}' (use_tmp_file false)",
        "attach '{out}'",
        "export database '{out}'",
        "create table t as select 1 as a",
        "drop view failures",
        "insert into failures select * from failures",
        "set lock_configuration = false",
        "install httpfs",
        "load httpfs",
        "prepare p as select 1",
        "select 1; select 2",
        "",
        "-- nothing",
    ],
)
def test_anything_but_one_select_is_refused(local_lake: Lake, tmp_path: Path, sql: str) -> None:
    commit(local_lake, FAILURES, payload_of(FAILURES, 3), "p")
    (data,) = (Path(local_lake.uri) / FAILURES.path).glob("part=p/*")
    before, out = data.read_bytes(), tmp_path / "out"
    with pytest.raises(UsageError):
        Catalog(local_lake).query(sql.format(out=out, data=str(data).replace("'", "''")))
    assert data.read_bytes() == before
    assert not out.exists()


@pytest.mark.parametrize(
    "sql",
    [
        "select * from read_csv('{outside}')",
        "select * from read_text('{outside}')",
        "select * from '{outside}'",
        "select * from glob('/*')",
        "select * from query('copy (select 1) to ''{outside}''')",
    ],
)
def test_select_cannot_reach_other_files(filled: Lake, tmp_path: Path, sql: str) -> None:
    outside = tmp_path / "secret.csv"
    outside.write_text("a\n1\n")
    with pytest.raises(UsageError):
        Catalog(filled).query(sql.format(outside=outside))


def test_select_cannot_reach_python_variables(local_lake: Lake) -> None:
    secret = pa.table({"a": [1]})
    with pytest.raises(UsageError, match="secret"):
        Catalog(local_lake).query("select * from secret")
    assert secret.num_rows == 1


def test_explain_of_a_select_is_allowed(local_lake: Lake) -> None:
    catalog = Catalog(local_lake)
    assert catalog.query("explain select 1").num_rows == 1
    assert catalog.query("explain analyze select 1").num_rows == 1


def test_broken_query_says_what_is_wrong(local_lake: Lake) -> None:
    with pytest.raises(UsageError, match="failuers"):
        Catalog(local_lake).query("select * from failuers")


def test_run_file_and_packaged_queries(filled: Lake, tmp_path: Path) -> None:
    file = tmp_path / "q.sql"
    file.write_text("-- comment\nselect count(*) as n from failures;\n")
    assert Catalog(filled).run_file(file).to_pylist() == [{"n": 30}]
    with pytest.raises(UsageError, match="nothing at"):
        Catalog(filled).run_file(tmp_path / "none.sql")
    with pytest.raises(UsageError, match="there are"):
        Catalog(filled).run_query("nope")


def test_every_packaged_query_runs_on_an_empty_lake(local_lake: Lake) -> None:
    catalog = Catalog(local_lake)
    for file in sql_files("queries"):
        assert catalog.run_query(file.name).num_columns > 0


def test_checks_of_an_empty_lake_pass(lake: Lake) -> None:
    results = Catalog(lake).checks()
    assert len(results) == len(sql_files("checks"))
    assert [r.name for r in results if not r.passed] == []


def test_checks_count_offending_rows_and_keep_a_sample(filled: Lake) -> None:
    results = {r.name: r for r in Catalog(filled).checks()}
    found = results["failure_codes"]
    assert (found.severity, found.rows, found.passed) == ("fail", 30, False)
    assert found.sample.num_rows == 20
    assert results["unique_keys"].passed


@pytest.mark.parametrize(
    "text", ["select 1", "-- check: x\nselect 1", "-- check: x\n-- severity: bad\nselect 1"]
)
def test_check_without_header_is_refused(text: str) -> None:
    with pytest.raises(LakeError, match="must start with"):
        check_header("c.sql", text)


AWKWARD = pa.table(
    {
        "text": ['a,"b"\nc', None],
        "n": [1, 22],
        "x": [float("nan"), 0.5],
        "data": [b"\x00\x01", None],
        "boxes": [[[0.0, 1.0]], None],
    }
)


def test_json_has_a_value_for_everything() -> None:
    rows = json.loads(to_format(AWKWARD, "json"))
    assert rows == [
        {"text": 'a,"b"\nc', "n": 1, "x": None, "data": "AAE=", "boxes": [[0.0, 1.0]]},
        {"text": None, "n": 22, "x": 0.5, "data": None, "boxes": None},
    ]


def test_csv_quotes_and_nests_as_json() -> None:
    assert to_format(AWKWARD, "csv").decode() == (
        'text,n,x,data,boxes\n"a,""b""\nc",1,,AAE=,"[[0.0, 1.0]]"\n,22,0.5,,\n'
    )


def test_parquet_gives_the_same_table(tmp_path: Path) -> None:
    (tmp_path / "t.parquet").write_bytes(to_format(AWKWARD, "parquet"))
    found = pq.read_table(tmp_path / "t.parquet").drop_columns("x")
    assert found.equals(AWKWARD.drop_columns("x"))


def test_table_aligns_and_shortens() -> None:
    table = pa.table({"name": ["a", "long" * 40], "n": [1, 100]})
    assert to_format(table, "table").decode().splitlines() == [
        "name" + " " * 56 + "    n",
        "-" * 60 + "  ---",
        "a" + " " * 59 + "    1",
        ("long" * 40)[:59] + "…  100",
        "(2 rows)",
    ]


def test_unknown_form_is_refused() -> None:
    with pytest.raises(ValueError, match="xml"):
        to_format(AWKWARD, "xml")
