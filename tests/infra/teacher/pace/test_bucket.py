"""Rates: never more than the rate allows, refunds, and what an endpoint says is left."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.teacher.pace.bucket import Bucket
from infra.teacher.permits import Allowance

TAKES = st.lists(st.tuples(st.floats(0.0, 5.0), st.floats(0.1, 50.0)), max_size=60)


@given(TAKES, st.floats(1.0, 1000.0))
def test_no_more_is_let_through_than_the_rate_allows(
    takes: list[tuple[float, float]], per_minute: float
):
    bucket, now, taken = Bucket(per_minute, 0.0), 0.0, 0.0
    for pause_s, amount in takes:
        now += pause_s
        need = min(amount, per_minute)
        now += bucket.wait_s(need, now)
        assert bucket.wait_s(need, now) == pytest.approx(0.0, abs=1e-6)
        bucket.take(need, now)
        taken += need
        assert taken <= per_minute * (1.0 + now / 60.0) + 1e-3


def test_what_was_not_used_is_given_back():
    bucket = Bucket(60.0, 0.0)
    bucket.take(60.0, 0.0)
    assert bucket.wait_s(10.0, 0.0) == pytest.approx(10.0)
    bucket.give_back(50.0, 0.0)
    assert bucket.wait_s(10.0, 0.0) == 0.0


def test_need_beyond_the_whole_rate_waits_for_a_full_bucket():
    bucket = Bucket(60.0, 0.0)
    assert bucket.wait_s(1000.0, 0.0) == 0.0
    bucket.take(1000.0, 0.0)
    assert bucket.wait_s(1.0, 0.0) == pytest.approx(941.0)


def test_without_a_limit_nothing_waits():
    bucket = Bucket(None, 0.0)
    bucket.take(1e9, 0.0)
    assert bucket.wait_s(1e9, 0.0) == 0.0
    bucket.correct(Allowance(remaining=0.0), 0.0)
    assert bucket.wait_s(1.0, 0.0) == 0.0


def test_stated_limit_holds_once_it_is_stated():
    bucket = Bucket(None, 0.0)
    bucket.correct(Allowance(remaining=0.0, limit=600.0, reset_s=60.0), 0.0)
    assert bucket.wait_s(1.0, 0.0) == pytest.approx(0.1)


def test_limit_per_day_is_paced_by_its_reset():
    """Groq counts requests per day under the same header name."""
    bucket = Bucket(None, 0.0)
    bucket.correct(Allowance(remaining=0.0, limit=14_400.0, reset_s=86_400.0), 0.0)
    assert bucket.wait_s(1.0, 0.0) == pytest.approx(6.0)


def test_what_the_endpoint_says_never_raises_the_level():
    bucket = Bucket(60.0, 0.0)
    bucket.take(60.0, 0.0)
    bucket.correct(Allowance(remaining=59.0, limit=1000.0, reset_s=1.0), 0.0)
    assert bucket.wait_s(1.0, 0.0) == pytest.approx(1.0)
    assert bucket.wait_s(1.0, 0.0) < math.inf
