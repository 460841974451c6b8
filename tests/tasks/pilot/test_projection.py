import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.pilot.projection import Estimate, RowYield, project, wilson

YIELDS = st.builds(
    RowYield, accepted=st.integers(0, 4), calls=st.integers(0, 9), cost_usd=st.floats(0, 1)
)


def projected(pilot: list[RowYield], listed: int):
    found = project(pilot, listed)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("part", "whole", "low", "high"),
    [(0, 10, 0.0, 0.2775), (10, 10, 0.7225, 1.0), (81, 263, 0.2553, 0.3662)],
)
def test_wilson_interval_is_the_published_one(part: int, whole: int, low: float, high: float):
    """Newcombe 1998 (doi:10.1002/(SICI)1097-0258(19980430)17:8<857), table I, method 3."""
    found = wilson(part, whole)
    assert found is not None
    assert (found.low, found.high) == (pytest.approx(low, abs=1e-4), pytest.approx(high, abs=1e-4))


def test_wilson_of_nothing_is_null():
    assert wilson(0, 0) is None


@given(st.lists(YIELDS, min_size=1, max_size=30), st.integers(0, 1000))
def test_projection_scales_the_means_and_its_intervals_hold_them(pilot: list[RowYield], more: int):
    found = projected(pilot, len(pilot) + more)
    assert found.accepted.value == pytest.approx(
        sum(row.accepted for row in pilot) / len(pilot) * found.rows
    )
    for one in (found.accepted, found.calls, found.cost_usd):
        assert one is not None
        assert 0 <= one.low <= one.value <= one.high


@given(st.lists(YIELDS, min_size=1, max_size=30))
def test_projection_of_a_pilot_that_is_the_whole_source_is_exact(pilot: list[RowYield]):
    found = projected(pilot, len(pilot))
    accepted = sum(row.accepted for row in pilot)
    assert found.accepted == Estimate(*[pytest.approx(accepted)] * 3)
    assert found.cost_usd is not None
    assert found.cost_usd.high - found.cost_usd.low == pytest.approx(0)


def test_projection_where_all_rows_agree_is_not_certain():
    found = projected([RowYield(1, 2, 0.01)] * 20, 1000)
    assert found.accepted.value == 1000
    assert found.accepted.low < 950


def test_projection_without_an_accepted_row_has_no_price_and_an_upper_bound():
    found = projected([RowYield(0, 2, 0.01)] * 20, 1000)
    assert found.usd_per_accepted is None
    assert found.accepted.low == 0
    assert found.accepted.high > 100
    assert project([], 10) is None


def test_projection_with_a_price_that_is_not_known_has_calls_only():
    found = projected([RowYield(1, 2, 0.01), RowYield(1, 2, None)], 10)
    assert (found.cost_usd, found.usd_per_accepted) == (None, None)
    assert found.calls.value == 20


def test_projection_interval_holds_the_truth_as_often_as_it_says():
    """1,000 pilots of 60 among 1,000 rows whose four questions succeed together."""
    rng = random.Random(5)  # noqa: S311 - draws of a test, not secrets
    rows = [
        RowYield(rng.choices([0, 3, 4], [1, 2, 3])[0], 4, rng.lognormvariate(-4, 0.5))
        for _ in range(1000)
    ]
    truth = sum(row.accepted for row in rows), sum(row.cost_usd or 0 for row in rows)
    pilots = [projected(rng.sample(rows, 60), 1000) for _ in range(1000)]
    for actual, estimates in (
        (truth[0], [p.accepted for p in pilots]),
        (truth[1], [p.cost_usd for p in pilots]),
        (truth[1] / truth[0], [p.usd_per_accepted for p in pilots]),
    ):
        held = sum(e.low <= actual <= e.high for e in estimates if e is not None)
        assert 920 <= held <= 985
