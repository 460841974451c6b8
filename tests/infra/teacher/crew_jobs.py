"""Jobs for the crew tests, importable where workers run."""

import os
from dataclasses import dataclass

from infra.teacher.types import Asker, Request, Response


@dataclass(frozen=True)
class Whereabouts:
    """Tells the process id of whichever worker got it."""

    async def run(self, teacher: Asker) -> int:
        del teacher
        return os.getpid()


@dataclass(frozen=True)
class AskAll:
    """Asks several requests one after the other, as a chain does."""

    requests: tuple[Request, ...]

    async def run(self, teacher: Asker) -> list[Response]:
        return [await teacher.ask(request) for request in self.requests]
