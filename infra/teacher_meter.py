"""What one part bought: many parts share a teacher, so its own counts cannot tell."""

from infra.execution import Spend
from infra.teacher_types import Asker, Request, Response


class MeteredTeacher:
    """Asks a teacher and counts; used by one event loop, so it needs no lock."""

    def __init__(self, teacher: Asker) -> None:
        self._teacher = teacher
        self.spend = Spend()

    async def ask(self, request: Request) -> Response:
        """Return what became of `request`; raises as the teacher does."""
        response = await self._teacher.ask(request)
        now = self.spend
        if response.reused:
            self.spend = Spend(now.calls_made, now.calls_reused + 1, now.cost_usd)
        else:
            cost = now.cost_usd + (response.cost_usd or 0.0)
            self.spend = Spend(now.calls_made + 1, now.calls_reused, cost)
        return response
