"""An endpoint that is down: when it counts as such, how it is tried, when it is given up."""

import math

from infra.teacher.pace.breaker import Breaker, BreakerState, OutagePolicy

POLICY = OutagePolicy(threshold=3, first_wait_s=1.0, max_wait_s=4.0, patience_s=100.0, cold_tries=2)


def broken(at: float = 0.0, *, is_warm: bool = True) -> Breaker:
    breaker = Breaker(POLICY)
    if is_warm:
        breaker.answered()
    for _ in range(POLICY.threshold):
        breaker.failed(at, "connect", is_probe=False)
    return breaker


def test_failures_in_a_row_open_it_and_one_answer_between_does_not():
    breaker = Breaker(POLICY)
    for _ in range(10):
        breaker.failed(0.0, "timeout", is_probe=False)
        breaker.failed(0.0, "timeout", is_probe=False)
        breaker.answered()
    assert breaker.state is BreakerState.CLOSED
    assert broken().state is BreakerState.OPEN


def test_one_call_tries_and_its_answer_closes_it():
    breaker = broken()
    assert breaker.wait_s(0.5) == 0.5
    assert breaker.wait_s(1.0) == 0.0
    assert breaker.send()
    assert breaker.wait_s(1.0) == math.inf
    breaker.answered()
    assert breaker.wait_s(1.0) == 0.0
    assert not breaker.send()


def test_failed_tries_come_at_growing_intervals():
    breaker, now, waits = broken(), 0.0, []
    for _ in range(4):
        waits.append(breaker.wait_s(now))
        now += waits[-1]
        breaker.send()
        breaker.failed(now, "connect", is_probe=True)
    assert waits == [1.0, 2.0, 4.0, 4.0]


def test_late_failures_of_earlier_sends_change_nothing_and_a_late_answer_closes_it():
    breaker = broken()
    breaker.failed(0.9, "timeout", is_probe=False)
    assert breaker.wait_s(1.0) == 0.0
    breaker.answered()
    assert breaker.state is BreakerState.CLOSED


def test_try_that_was_never_sent_leaves_it_to_the_next():
    breaker = broken()
    breaker.send()
    breaker.unproven()
    assert breaker.wait_s(1.0) == 0.0


def test_endpoint_that_never_answered_gets_a_few_tries():
    breaker = broken(is_warm=False)
    for now in (1.0, 3.0):
        assert not breaker.is_hopeless(now)
        breaker.send()
        breaker.failed(now, "connect", is_probe=True)
    assert breaker.is_hopeless(3.0)


def test_endpoint_that_answered_before_gets_patience():
    breaker = broken()
    for now in (1.0, 3.0, 99.0):
        breaker.send()
        breaker.failed(now, "connect", is_probe=True)
        assert not breaker.is_hopeless(now)
    assert breaker.is_hopeless(101.0)
    breaker.answered()
    assert not breaker.is_hopeless(1000.0)
