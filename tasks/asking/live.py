"""The asks of one part: bounded and in order, metered, in groups that fit in memory.

Asks without a reply are failures of their rows.  Many that might have got one later are an outage:
such a part is not committed, because a committed part is never asked again.
"""

import asyncio
import threading
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

from infra.execution import Spend
from infra.teacher.types import Asker, Response
from infra.telemetry import Progress
from sightline.errors import TeacherError
from sightline.outcomes import Outcome
from tasks.asking.in_order import Run, in_order
from tasks.asking.places import Places

T = TypeVar("T")

RESULTS_PER_WRITE = 64
"""Finished results that wait in memory until their rows are written."""

FEW_UNANSWERED = 2
UNANSWERED_SHARE = 0.1
"""More of a part's asks without a reply than both allow are an outage, not bad rows."""


class Asked(Protocol):
    """What became of all asks about one thing."""

    @property
    def responses(self) -> Sequence[Response]:
        """The responses, in the order of the asks."""
        ...


R = TypeVar("R", bound=Asked)


class Flushes(Protocol):
    """Whatever keeps responses: a ledger, or several on as many machines."""

    def flush(self) -> object:
        """Commit every response received so far to the lake."""
        ...


class AskingWork:
    """What every part of a build shares; a plain class, so that Prefect does not look inside.

    Attributes:
        open_teacher: gives the teacher; called by the first part that has something to ask.
        ledger: flushed before a part's rows count.
        places: bound what asks at once, over all parts.
    """

    def __init__(self, open_teacher: Callable[[], Asker], ledger: Flushes, places: Places) -> None:
        self.open_teacher, self.ledger, self.places = open_teacher, ledger, places


@dataclass(slots=True)
class Purchase:
    """What one part asks; `spend` counts what the results given so far cost.

    Attributes:
        step: name of the step that asks, for its progress.
        work: shared by all parts.
        progress: told of every group.
    """

    step: str
    work: AskingWork
    progress: Progress
    spend: Spend = field(default_factory=Spend)

    def groups(self, items: Sequence[T], run: Run[T, R]) -> Iterator[list[R]]:
        """Yield what `run` makes of `items`, in their order; the ledger is flushed at the end.

        So a row never counts while the reply it came from is only on a local disk.

        Raises:
            TeacherError: too many of them got no reply that may get one later.
        """
        unanswered: list[str] = []
        with closing(_iterate(items, run, self.work.places)) as finished:
            for results in _grouped(finished, RESULTS_PER_WRITE):
                unanswered += _reasons_without_reply(results)
                refuse_outage(unanswered, len(items))
                spent = spend_of(results)
                self.spend = _sum(self.spend, spent)
                yield results
                self.progress.advance(self.step, rows=len(results), cost_usd=spent.cost_usd)
        self.work.ledger.flush()


def spend_of(results: Iterable[Asked]) -> Spend:
    """Return what results cost; a request that got no response cost nothing."""
    calls = [
        call
        for result in results
        for response in result.responses
        for call in (response.cut_first, response)
        if call is not None and call.outcome is not Outcome.ERROR
    ]
    bought = [call for call in calls if not call.reused]
    cost = sum(call.cost_usd or 0.0 for call in bought)
    return Spend(len(bought), len(calls) - len(bought), cost)


def _sum(one: Spend, other: Spend) -> Spend:
    return Spend(
        one.calls_made + other.calls_made,
        one.calls_reused + other.calls_reused,
        one.cost_usd + other.cost_usd,
    )


def _reasons_without_reply(results: Iterable[Asked]) -> list[str]:
    """Return why asks failed that may succeed later, one reason per result at most."""
    failed = [[r for r in result.responses if r.may_succeed] for result in results]
    return [found[-1].detail or "no reason given" for found in failed if found]


def refuse_outage(unanswered: Sequence[str], n_asked: int) -> None:
    """Check that the asks without a reply are few or a small share.

    Raises:
        TeacherError: they are neither.
    """
    if len(unanswered) <= max(FEW_UNANSWERED, UNANSWERED_SHARE * n_asked):
        return
    msg = (
        f"the teacher gave no answer to {len(unanswered)} of {n_asked} chains, the last time: "
        f"{unanswered[-1]}; what it did answer is kept: build again once the cause is gone"
    )
    raise TeacherError(msg)


def _iterate(items: Iterable[T], run: Run[T, R], places: Places) -> Generator[R, None, None]:
    """Yield results to code without a loop; while that writes rows, the asking goes on."""
    turn = asyncio.Lock()

    async def following() -> R:
        async with turn:
            return await anext(results)

    async def end() -> None:
        async with turn:
            await results.aclose()

    with _loop_in_a_thread() as loop:
        results = in_order(items, run, places)
        pending = asyncio.run_coroutine_threadsafe(following(), loop)
        try:
            while True:
                yield pending.result()
                pending = asyncio.run_coroutine_threadsafe(following(), loop)
        except StopAsyncIteration:
            return
        finally:
            pending.cancel()
            asyncio.run_coroutine_threadsafe(end(), loop).result()


@contextmanager
def _loop_in_a_thread() -> Iterator[asyncio.AbstractEventLoop]:
    """Give an event loop that runs in a thread of its own within the block."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="asking", daemon=True)
    thread.start()
    try:
        yield loop
    finally:
        asyncio.run_coroutine_threadsafe(loop.shutdown_default_executor(), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def _grouped(items: Iterator[R], most: int) -> Iterator[list[R]]:
    group: list[R] = []
    for item in items:
        group.append(item)
        if len(group) == most:
            yield group
            group = []
    if group:
        yield group
