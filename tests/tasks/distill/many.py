"""Many chains asked of one teacher, as a part asks them."""

from collections.abc import AsyncGenerator, Iterable

from infra.teacher.types import Asker
from tasks.asking.in_order import GoOn, in_order
from tasks.asking.places import Places
from tasks.distill.case import ChainCase
from tasks.distill.rounds import ChainResult, MakeView, asked_here


def distill(
    cases: Iterable[ChainCase], teacher: Asker, make_view: MakeView, in_flight: int
) -> AsyncGenerator[ChainResult, None]:
    """Yield the finished chains in the order of `cases`."""
    run_chain = asked_here(teacher)

    async def run(case: ChainCase, go_on: GoOn) -> ChainResult:
        return await run_chain(case, make_view, go_on)

    return in_order(cases, run, Places(in_flight))
