"""What a failure counts for, and when a call is given up though others go on."""

import random

import pytest

from infra.teacher.permits import Permit, UseKind
from infra.teacher.retry import RetryPolicy
from infra.teacher.sending import Again
from infra.teacher.tries import Tries

POLICY = RetryPolicy(attempts=3, patience_s=60.0)


def again(kind: UseKind, *, is_probe: bool = False, wait_s: float | None = None) -> Again:
    return Again("it failed", kind, Permit(1, "e", is_probe), wait_s)


@pytest.mark.parametrize("kind", [UseKind.FAILED, UseKind.LOST])
def test_what_may_be_the_requests_fault_uses_up_its_tries(kind: UseKind):
    tries = Tries(POLICY)
    for left in (2, 1, 0):
        tries.add(again(kind), now=0.0)
        assert tries.are_spent(0.0) is (left == 0)


def test_no_connection_is_never_the_requests_fault():
    tries = Tries(POLICY)
    for _ in range(100):
        tries.add(again(UseKind.UNREACHABLE), now=0.0)
    assert not tries.are_spent(1e6)
    assert tries.total == 100


def test_failures_of_a_try_during_an_outage_are_counted_apart():
    tries = Tries(POLICY)
    for is_probe in (True, False, True, False):
        tries.add(again(UseKind.FAILED, is_probe=is_probe), now=0.0)
    assert not tries.are_spent(0.0)
    tries.add(again(UseKind.FAILED, is_probe=True), now=0.0)
    assert tries.are_spent(0.0)


def test_throttled_call_is_given_up_by_time_and_only_if_it_was_refused_often():
    tries = Tries(POLICY)
    tries.add(again(UseKind.THROTTLED), now=5.0)
    tries.add(again(UseKind.THROTTLED), now=70.0)
    assert not tries.are_spent(70.0)
    tries.add(again(UseKind.THROTTLED), now=71.0)
    assert tries.are_spent(71.0)


def test_throttled_call_waits_only_for_what_it_was_told():
    tries, rng = Tries(POLICY), random.Random(1)  # noqa: S311
    told, untold = again(UseKind.THROTTLED, wait_s=2.0), again(UseKind.THROTTLED)
    assert tries.wait_s(untold, rng) == 0.0
    assert tries.wait_s(told, rng) >= 2.0
