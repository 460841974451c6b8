"""A part's asks as groups of results: asking goes on while rows are written, and ends cleanly."""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pytest

from infra.teacher.types import Response
from infra.telemetry import NullProgress
from sightline.errors import TeacherError
from sightline.outcomes import Outcome
from tasks.asking.in_order import GoOn
from tasks.asking.live import RESULTS_PER_WRITE, AskingWork, Purchase
from tasks.asking.places import Places

TIMEOUT_S = 20


@dataclass(frozen=True)
class Result:
    number: int
    responses: Sequence[Response]


@dataclass
class Flushes:
    flushed: int = 0

    def flush(self) -> None:
        self.flushed += 1


def response(*, reused: bool = False, outcome: Outcome = Outcome.SUCCESS) -> Response:
    failed = outcome is Outcome.ERROR
    return Response(
        request_key="k", draw=0, text="", thinking=None, raw_text="", outcome=outcome,
        finish_reason=None, tokens_in=1, tokens_out=1, tokens_reasoning=None, cost_usd=0.25,
        latency_ms=1.0, reused=reused, detail="HTTP 500" if failed else None, may_succeed=failed,
    )  # fmt: skip


def purchase(most: int = 4) -> tuple[Purchase, Flushes]:
    def open_teacher() -> None:
        raise AssertionError

    flushes = Flushes()
    work = AskingWork(open_teacher, flushes, Places(most))  # type: ignore[arg-type]
    return Purchase("distill", work, NullProgress()), flushes


def asks(make: Callable[[int], Result]) -> Callable[[int, GoOn], object]:
    async def run(item: int, _go_on: GoOn) -> Result:
        return make(item)

    return run


def test_groups_hold_all_results_in_order_and_what_they_cost():
    bought, flushes = purchase()
    run = asks(lambda n: Result(n, [response(reused=n % 2 == 0)]))
    groups = list(bought.groups(range(150), run))
    assert [r.number for group in groups for r in group] == list(range(150))
    assert max(len(group) for group in groups) == RESULTS_PER_WRITE
    spend = bought.spend
    assert (spend.calls_made, spend.calls_reused, spend.cost_usd) == (75, 75, 75 * 0.25)
    assert flushes.flushed == 1


def test_groups_go_on_asking_while_the_rows_of_the_first_are_written():
    bought, _ = purchase()
    last_asked = threading.Event()

    def make(n: int) -> Result:
        if n == RESULTS_PER_WRITE + 8:
            last_asked.set()
        return Result(n, [response()])

    groups = bought.groups(range(RESULTS_PER_WRITE + 9), asks(make))
    next(groups)
    assert last_asked.wait(TIMEOUT_S), "nothing is asked while rows are written"
    assert [r.number for r in next(groups)] == list(range(RESULTS_PER_WRITE, RESULTS_PER_WRITE + 9))


def test_groups_left_in_the_middle_end_their_thread_and_give_back_their_places():
    bought, flushes = purchase()
    run = asks(lambda n: Result(n, [response()]))
    groups = bought.groups(range(1000), run)
    next(groups)
    groups.close()
    assert not [t for t in threading.enumerate() if t.name == "asking"]
    assert flushes.flushed == 0
    assert sum(len(group) for group in bought.groups(range(200), run)) == 200


def test_groups_of_an_outage_raise_and_of_a_broken_ask_too():
    bought, _ = purchase()
    failing = asks(lambda n: Result(n, [response(outcome=Outcome.ERROR)]))
    with pytest.raises(TeacherError, match=r"no answer to 64 of 100 chains.*HTTP 500"):
        list(bought.groups(range(100), failing))

    def breaks(n: int) -> Result:
        if n == 70:
            msg = "broken"
            raise ValueError(msg)
        return Result(n, [response()])

    with pytest.raises(ValueError, match="broken"):
        list(bought.groups(range(100), asks(breaks)))
    fine = asks(lambda n: Result(n, [response()]))
    assert sum(len(group) for group in bought.groups(range(100), fine)) == 100
