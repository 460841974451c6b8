"""Macros of `sql/macros`, against the Python functions that mean the same."""

import math
from collections.abc import Iterator

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sightline import boxes
from tests.sql.lake_tables import connect

SIDES = st.floats(0, 1, allow_nan=False)
BOXES = st.tuples(SIDES, SIDES, SIDES, SIDES).map(
    lambda s: (min(s[0], s[2]), min(s[1], s[3]), max(s[0], s[2]), max(s[1], s[3]))
)


@pytest.fixture(scope="module")
def con() -> Iterator[duckdb.DuckDBPyConnection]:
    with connect({}) as connection:
        yield connection


def value(con: duckdb.DuckDBPyConnection, sql: str, *parameters: object) -> object:
    row = con.execute(f"select {sql}", list(parameters)).fetchone()
    assert row is not None
    return row[0]


@given(listed=st.lists(BOXES, min_size=1, max_size=4))
@settings(max_examples=30, deadline=None)
def test_union_box_and_box_area_equal_the_python_ones(
    con: duckdb.DuckDBPyConnection, listed: list[boxes.Box]
):
    union = boxes.union(listed)
    assert value(con, "union_box(?::double[][])", [list(b) for b in listed]) == list(union)
    assert value(con, "box_area(?::double[])", list(union)) == boxes.area(union)


@given(box=BOXES, view=BOXES)
@settings(max_examples=30, deadline=None)
def test_box_from_view_equals_the_python_one(
    con: duckdb.DuckDBPyConnection, box: boxes.Box, view: boxes.Box
):
    found = value(con, "box_from_view(?::double[], ?::double[])", list(box), list(view))
    assert found == pytest.approx(list(boxes.from_view(box, view)))


@pytest.mark.parametrize(
    ("box", "fits"),
    [
        ([0, 0, 1, 1], True),
        ([0.5, 0.5, 0.5, 0.5], True),
        ([-1e-9, 0, 1 + 1e-9, 1], True),
        ([0, 0, 1.01, 1], False),
        ([0.6, 0, 0.5, 1], False),
        ([0, 0, 1], False),
        ([0, 0, None, 1], False),
        ([0, 0, math.nan, 1], False),
        ([0, 0, math.inf, 1], False),
        (None, False),
    ],
)
def test_box_fits_accepts_only_ordered_boxes_inside(
    con: duckdb.DuckDBPyConnection, box: list[float] | None, *, fits: bool
):
    assert value(con, "box_fits(?::double[], 1, 1, 1e-6)", box) is fits


def test_box_macros_of_absent_boxes_are_null(con: duckdb.DuckDBPyConnection):
    assert value(con, "box_area(null::double[])") is None
    assert value(con, "union_box([]::double[][])") is None
    assert value(con, "union_box(null::double[][])") is None


def test_box_area_of_a_turned_box_is_zero(con: duckdb.DuckDBPyConnection):
    assert value(con, "box_area([0.5, 0.5, 0.1, 0.9])") == 0


def test_percent_of_nothing_is_null_and_else_has_two_decimals(con: duckdb.DuckDBPyConnection):
    assert value(con, "percent(0, 0)") is None
    assert value(con, "percent(1, 3)") == pytest.approx(33.33)


def test_zoom_gate_limit_is_that_of_the_zoom_step(con: duckdb.DuckDBPyConnection):
    from tasks.distill.zoom import GATE_SHARE

    assert float(str(value(con, "zoom_gate_limit()"))) == GATE_SHARE


def test_deciding_rules_are_rules_of_the_verify_step(con: duckdb.DuckDBPyConnection):
    from tasks.verify.rules import ZOOM_RULES, VerifyParams, chain_rules

    listed = value(con, "deciding_rules()")
    assert isinstance(listed, list)
    assert set(listed) <= set(chain_rules(VerifyParams(clean_replies=True))) | set(ZOOM_RULES)


@pytest.mark.parametrize(("part", "whole"), [(0, 10), (3, 7), (10, 10), (81, 263)])
def test_wilson_equals_the_python_one(con: duckdb.DuckDBPyConnection, part: int, whole: int):
    from tasks.pilot.projection import wilson

    expected = wilson(part, whole)
    assert expected is not None
    found = value(con, "wilson(?::bigint, ?::bigint)", part, whole)
    assert found == pytest.approx(
        {"value": expected.value, "low": expected.low, "high": expected.high}, abs=1e-6
    )


def test_wilson_of_nothing_is_null(con: duckdb.DuckDBPyConnection):
    assert value(con, "wilson(0, 0)") is None
