"""Chains asked on workers: a job holds the case and its one stored image, not the way to a shelf.

The worker cuts the views and asks to the end of the chain.  So when another chain fails for all,
one that has begun on a worker is asked to its end; what stops the teacher itself (budget, wrong
key) stops it there too.  Whatever it is told is in the ledger.
"""

from dataclasses import dataclass

from infra.images.decode import ImageProblem
from infra.teacher.jobs import JobRunner
from infra.teacher.types import Asker
from tasks.asking.in_order import GoOn
from tasks.distill.case import ChainCase
from tasks.distill.chain import Finished, next_ask
from tasks.distill.rounds import ChainResult, RunChain, run_chain
from tasks.distill.views import Original, ViewCutter


@dataclass(frozen=True, slots=True)
class HeldImage:
    """The stored image of a chain, or why there is none; a shelf of one."""

    found: Original | ImageProblem

    def load(self, image_id: str) -> Original:
        """Return the image.

        Raises:
            ImageProblem: as the shelf said.
        """
        del image_id
        if isinstance(self.found, ImageProblem):
            raise self.found
        return self.found


@dataclass(frozen=True, slots=True)
class ChainJob:
    """One chain, complete."""

    case: ChainCase
    image: HeldImage

    async def run(self, teacher: Asker) -> ChainResult:
        """Ask the chain to its end."""
        return await run_chain(self.case, teacher.ask, ViewCutter(self.image.load))


def asked_by(workers: JobRunner) -> RunChain:
    """Return what asks chains on workers."""

    async def run(case: ChainCase, make_view: ViewCutter, go_on: GoOn) -> ChainResult:
        go_on()
        first = next_ask(case, [])
        if isinstance(first, Finished):
            return ChainResult(case, (), first)
        return await workers.run(lambda: ChainJob(case, _held(case, make_view)))

    return run


def _held(case: ChainCase, make_view: ViewCutter) -> HeldImage:
    try:
        return HeldImage(make_view.load(case.image_id or ""))
    except ImageProblem as problem:
        return HeldImage(problem)
