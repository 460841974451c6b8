"""What one part bought: many parts share a teacher, so its own counts cannot tell."""

from dataclasses import replace

from infra.execution import Spend
from infra.teacher.types import Asker, Request, Response
from sightline.outcomes import Outcome


class MeteredTeacher:
    """Asks a teacher and counts; used by one event loop, so it needs no lock."""

    def __init__(self, teacher: Asker) -> None:
        self._teacher = teacher
        self.spend = Spend()

    async def ask(self, request: Request) -> Response:
        """Return what became of `request`; raises as the teacher does."""
        response = await self._teacher.ask(request)
        for call in (response.cut_first, response):
            if call is not None and call.outcome is not Outcome.ERROR:
                self.spend = _with(self.spend, call)
        return response


def _with(spend: Spend, call: Response) -> Spend:
    """Return `spend` with one more call; a request that got no response cost nothing."""
    if call.reused:
        return replace(spend, calls_reused=spend.calls_reused + 1)
    cost = spend.cost_usd + (call.cost_usd or 0.0)
    return replace(spend, calls_made=spend.calls_made + 1, cost_usd=cost)
