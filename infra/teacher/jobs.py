"""Work for whoever asks: values that know how to ask a teacher, wherever one runs.

A job pickles, and so does its result.  A whole chain of asks is one job: its pictures travel once,
and what is cut from them is cut where it is sent from.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, TypeVar

from infra.teacher.types import Asker, Request, Response

R = TypeVar("R")
R_co = TypeVar("R_co", covariant=True)


class Job(Protocol[R_co]):
    """Something to ask."""

    async def run(self, teacher: Asker) -> R_co:
        """Ask `teacher` and return what came of it."""
        ...


class JobRunner(Protocol):
    """Runs jobs on workers that ask."""

    async def run(self, make_job: Callable[[], Job[R]]) -> R:
        """Return what came of a job; raises as a teacher does.

        Args:
            make_job: gives the job, again if a worker dies; so its pictures are in memory here only
                while they are sent.
        """
        ...


@dataclass(frozen=True, slots=True)
class SingleAsk:
    """The job of one request."""

    request: Request

    async def run(self, teacher: Asker) -> Response:
        """Return what became of the request."""
        return await teacher.ask(self.request)
