"""The live loop: many chains at once against a teacher, finished chains in the order of the cases.

A chain is sequential, so chains in flight are calls in flight.  Rows must not depend on which reply
came first, so results wait for those before them; to keep the endpoint busy meanwhile, up to
`AHEAD` times as many chains may have begun.  If one chain raises (budget, wrong key), the others
finish the call they are in, so that what is being bought is received, and ask nothing more.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass

from infra.images.decode import ImageProblem
from infra.teacher.types import Asker, Request, Response
from sightline.boxes import Box
from sightline.errors import Failure
from sightline.storable import storable
from tasks.distill.asks import Ask
from tasks.distill.case import ChainCase
from tasks.distill.chain import Finished, Reply, StopReason, next_ask
from tasks.distill.views import View

AHEAD = 8
"""Chains that may have begun, as a multiple of those in flight; bounds what waits in memory."""

AskTeacher = Callable[[Request], Awaitable[Response]]
MakeView = Callable[[ChainCase, Box], View]


class StoppedError(Exception):
    """Another chain failed for all; this one asks no more."""


@dataclass(frozen=True, slots=True)
class Exchange:
    """One ask, what was shown and what came back; a stored original is not held here."""

    ask: Ask
    view_image_id: str
    crop: View | None
    response: Response

    @property
    def reply(self) -> Reply:
        """Return what the chain goes by."""
        return Reply(storable(self.response.raw_text), self.response.outcome)


@dataclass(frozen=True, slots=True)
class ChainResult:
    """A finished chain.

    Attributes:
        view_problem: why a view could not be made, if that ended the chain.
    """

    case: ChainCase
    exchanges: tuple[Exchange, ...]
    finished: Finished
    view_problem: Failure | None = None


async def run_chain(case: ChainCase, ask_teacher: AskTeacher, make_view: MakeView) -> ChainResult:
    """Return the chain of `case`, asked to its end.

    Raises:
        TeacherError: the endpoint as a whole is unusable, or the budget is spent.
    """
    exchanges: list[Exchange] = []
    while True:
        step = next_ask(case, [exchange.reply for exchange in exchanges])
        if isinstance(step, Finished):
            return ChainResult(case, tuple(exchanges), step)
        try:
            view = await asyncio.to_thread(make_view, case, step.view_box)
        except ImageProblem as problem:
            finished = Finished(StopReason.NO_VIEW, problem.detail)
            return ChainResult(case, tuple(exchanges), finished, problem.code)
        response = await ask_teacher(request_of(case, step, view))
        crop = view if view.row is not None else None
        exchanges.append(Exchange(step, view.part.image_id, crop, response))


def request_of(case: ChainCase, ask: Ask, view: View) -> Request:
    """Return the request that asks `ask` about `view`."""
    return Request(
        model=case.params.teacher,
        system=None,
        content=(view.part, ask.prompt),
        parameters=case.params.request_parameters(),
        prompt_id=ask.prompt_id,
        subject_id=case.sample_id,
        draw=case.params.draw,
    )


async def distill(
    cases: Iterable[ChainCase], teacher: Asker, make_view: MakeView, in_flight: int
) -> AsyncIterator[ChainResult]:
    """Yield a finished chain per case, in the order of `cases`.

    Args:
        cases: read only as far ahead as `AHEAD` allows.
        teacher: answers requests.
        make_view: called in threads.
        in_flight: most chains asking at once.

    Raises:
        TeacherError: the endpoint as a whole is unusable, or the budget is spent.
    """
    begun: asyncio.Queue[asyncio.Task[ChainResult] | None] = asyncio.Queue()
    room = asyncio.Semaphore(in_flight * AHEAD)
    stop = asyncio.Event()

    async def ask(request: Request) -> Response:
        if stop.is_set():
            raise StoppedError
        return await teacher.ask(request)

    feeder = asyncio.create_task(
        _begin(cases, lambda case: run_chain(case, ask, make_view), begun, room, in_flight)
    )
    try:
        while (task := await begun.get()) is not None:
            yield await task
            room.release()
        await feeder
    except Exception:
        stop.set()
        await _end(feeder, begun, cancel=False)
        raise
    except BaseException:
        await _end(feeder, begun, cancel=True)
        raise


async def _begin(
    cases: Iterable[ChainCase],
    run: Callable[[ChainCase], Awaitable[ChainResult]],
    begun: "asyncio.Queue[asyncio.Task[ChainResult] | None]",
    room: asyncio.Semaphore,
    in_flight: int,
) -> None:
    """Begin chains as places come free; `None` in the queue says that there are no more."""
    places = asyncio.Semaphore(in_flight)

    async def in_place(case: ChainCase) -> ChainResult:
        try:
            return await run(case)
        finally:
            places.release()

    try:
        for case in cases:
            await room.acquire()
            await places.acquire()
            begun.put_nowait(asyncio.create_task(in_place(case)))
    finally:
        begun.put_nowait(None)


async def _end(
    feeder: "asyncio.Task[None]",
    begun: "asyncio.Queue[asyncio.Task[ChainResult] | None]",
    *,
    cancel: bool,
) -> None:
    """Begin nothing more and wait for what has begun; its results are in the ledger."""
    feeder.cancel()
    with suppress(asyncio.CancelledError):
        await feeder
    while not begun.empty():
        task = begun.get_nowait()
        if task is None:
            continue
        if cancel:
            task.cancel()
        await asyncio.gather(task, return_exceptions=True)
