"""Retry rules: which statuses, how long, and what Retry-After means."""

import random
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.teacher.pace.headers import retry_after_s
from infra.teacher.retry import RetryPolicy, may_retry

NOW = datetime(2026, 1, 1, 12, 0, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("status", "expected"),
    [(429, True), (408, True), (500, True), (503, True), (400, False), (401, False), (422, False)],
)
def test_only_what_may_succeed_again_is_retried(status: int, expected: bool):  # noqa: FBT001
    assert may_retry(status) is expected


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, None),
        ({"retry-after": "2.5"}, 2.5),
        ({"retry-after-ms": "250", "retry-after": "9"}, 0.25),
        ({"retry-after": "Thu, 01 Jan 2026 12:00:30 GMT"}, 30.0),
        ({"retry-after": "Thu, 01 Jan 2026 11:00:00 GMT"}, 0.0),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "-1"}, None),
        ({"retry-after": "inf"}, None),
    ],
)
def test_retry_after_in_every_form(headers: dict[str, str], expected: float | None):
    assert retry_after_s(headers, NOW) == expected


@given(st.integers(1, 60), st.integers(0, 1000))
def test_wait_without_a_hint_is_bounded(failures: int, seed: int):
    policy = RetryPolicy(base_s=0.5, max_wait_s=8.0)
    wait = policy.wait_s(failures, None, random.Random(seed))  # noqa: S311
    assert 0.0 < wait <= min(8.0, 0.5 * 2 ** (failures - 1))


@given(st.floats(0, 1000), st.integers(0, 1000))
def test_wait_with_a_hint_is_never_shorter_than_believed(hint: float, seed: int):
    wait = RetryPolicy(max_retry_after_s=300.0).wait_s(1, hint, random.Random(seed))  # noqa: S311
    assert min(hint, 300.0) <= wait <= 300.0 * 1.25 + 0.05
