"""One chain asked to its end, and where chains are asked: in this process, or on a worker.

The chain decides what is asked (`tasks.distill.chain`); here it is only asked.  A result is a plain
value that holds all its replies, so that it may come from another process.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import Any

from infra.images.decode import ImageProblem
from infra.teacher.types import Asker, Request, Response
from sightline.boxes import Box
from sightline.errors import Failure
from sightline.storable import storable
from tasks.asking.in_order import GoOn
from tasks.distill.asks import Ask
from tasks.distill.case import ChainCase
from tasks.distill.chain import Finished, Reply, StopReason, next_ask
from tasks.distill.views import View, ViewCutter

AskTeacher = Callable[[Request], Awaitable[Response]]
MakeView = Callable[[ChainCase, Box], View]
RunChain = Callable[[ChainCase, ViewCutter, GoOn], Coroutine[Any, Any, "ChainResult"]]
"""Asks one chain to its end; `GoOn` is called before every call."""


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
        return reply_of(self.response)


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

    @property
    def responses(self) -> Sequence[Response]:
        """Return the responses, in the order of the asks."""
        return [exchange.response for exchange in self.exchanges]


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


def reply_of(response: Response) -> Reply:
    """Return what a chain goes by, exactly as `generations` holds it for the replay."""
    thinking = None if response.thinking is None else storable(response.thinking)
    return Reply(storable(response.raw_text), response.outcome, thinking)


def request_of(case: ChainCase, ask: Ask, view: View) -> Request:
    """Return the request that asks `ask` about `view`."""
    return Request(
        model=case.params.teacher,
        system=None,
        content=(view.part, ask.prompt),
        parameters=case.params.request_parameters(ask.stage),
        prompt_id=ask.prompt_id,
        subject_id=case.sample_id,
        draw=case.params.draw,
        turns=ask.turns,
        step="distill",
    )


def asked_here(teacher: Asker) -> RunChain:
    """Return what asks chains of `teacher` in this process."""

    async def run(case: ChainCase, make_view: MakeView, go_on: GoOn) -> ChainResult:
        async def ask(request: Request) -> Response:
            go_on()
            return await teacher.ask(request)

        return await run_chain(case, ask, make_view)

    return run
