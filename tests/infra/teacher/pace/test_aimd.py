"""The limit of sends at once: bounds, one decrease per wave, and finding a server's own limit."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.teacher.pace.aimd import START, Aimd

EVENTS = st.lists(st.tuples(st.booleans(), st.floats(0.0, 1.0)), max_size=300)


def rounds(aimd: Aimd, server: int, count: int, clock: float = 0.0) -> list[tuple[int, int]]:
    """Fill the limit once per round at a server that bears `server`; return (answers, 429s)."""
    seen = []
    for number in range(count):
        sent_at = clock + number
        out = aimd.limit
        answered = min(out, server)
        for _ in range(out - answered):
            aimd.throttled(sent_at, sent_at + 0.1)
        for _ in range(answered):
            aimd.succeeded(out)
        seen.append((answered, out - answered))
    return seen


@given(EVENTS, st.integers(1, 600), st.integers(1, 64))
def test_limit_stays_between_one_and_most(
    events: list[tuple[bool, float]], most: int, start: int
) -> None:
    aimd, now = Aimd(most, start), 0.0
    for is_answer, wait_s in events:
        now += wait_s
        if is_answer:
            aimd.succeeded(aimd.limit)
        else:
            aimd.throttled(now, now)
        assert 1 <= aimd.limit <= most


def test_start_doubles_until_the_most():
    aimd = Aimd(512)
    assert aimd.limit == START
    answered = [answers for answers, _ in rounds(aimd, 10_000, 6)]
    assert answered[:4] == [32, 64, 128, 256]
    assert answered[5] == 512


def test_wave_of_refusals_counts_once():
    aimd = Aimd(100, start=100)
    for _ in range(60):
        aimd.throttled(1.0, 2.0)
    assert aimd.limit == 85
    assert aimd.throttled(2.5, 3.0)


def test_two_waves_without_an_answer_leave_one_send():
    aimd = Aimd(100, start=100)
    aimd.throttled(1.0, 2.0)
    aimd.throttled(3.0, 4.0)
    assert aimd.limit == 1


@pytest.mark.parametrize("server", [4, 16, 64, 400])
def test_limit_settles_at_what_the_server_bears(server: int):
    aimd = Aimd(512)
    rounds(aimd, server, 20)
    seen = rounds(aimd, server, 400, clock=100.0)
    answers, refusals = (sum(counts) for counts in zip(*seen, strict=True))
    assert answers >= 0.95 * server * 400
    assert refusals <= 0.06 * answers


def test_limit_is_back_soon_after_a_bad_hour():
    aimd = Aimd(512)
    rounds(aimd, 512, 10)
    rounds(aimd, 0, 50, clock=100.0)
    assert aimd.limit == 1
    answers = [count for count, _ in rounds(aimd, 512, 60, clock=200.0)]
    assert answers[15] >= 0.95 * 512
    assert answers[-1] == 512


def test_limit_that_is_not_used_does_not_grow():
    aimd = Aimd(512)
    for _ in range(1000):
        aimd.succeeded(3)
    assert aimd.limit == START
