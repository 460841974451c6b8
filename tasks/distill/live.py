"""One part bought: its kept samples as cases, their chains asked, their rows streamed out.

The ledger is flushed when the last chain is finished and before the part is published, so a row
never counts while the response it came from is only on a local disk.

A chain without an answer is a failure of its row.  Many that might have got one later are an
outage: such a part is not committed, because a committed part is never asked again.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Generator, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import TypeVar

import pyarrow as pa
import pyarrow.compute as pc

from infra.execution import Produced, RunContext, Spend
from infra.images.shelf import ImageShelf, image_shelf
from infra.ledger.ledger import Ledger
from infra.teacher.meter import MeteredTeacher
from infra.teacher.types import Asker
from sightline.errors import TeacherError
from sightline.schemas import FAILURES, GENERATIONS, IMAGES, OBJECTS, SAMPLES
from tasks.distill.case import ChainCase, ChainParams, cases_of
from tasks.distill.rounds import ChainResult, distill
from tasks.distill.rows import tables_of
from tasks.distill.views import ViewCutter

T = TypeVar("T")

CHAINS_PER_WRITE = 64
"""Finished chains that wait in memory until their rows are written."""

FEW_UNANSWERED = 2
UNANSWERED_SHARE = 0.1
"""More chains of a part without an answer than both allow are an outage, not bad rows."""


@dataclass(frozen=True, slots=True)
class PartInputs:
    """What a part's chains are made from.

    Attributes:
        image_parts: parts of `images` that its samples refer to.
        dropped: its samples that are duplicates of kept ones; they are not asked about.
    """

    image_parts: Sequence[str]
    dropped: frozenset[str]


class DistillWork:
    """What every part of a build shares; a plain class, so that Prefect does not look inside.

    Attributes:
        open_teacher: gives the teacher; called by the first part that has something to ask.
        ledger: flushed before a part's rows count.
        in_flight: most chains asking at once, per part.
        inputs: what a part's chains are made from, by part.
        uses_objects: whether prompts list objects.
    """

    def __init__(
        self,
        open_teacher: Callable[[], Asker],
        ledger: Ledger,
        in_flight: int,
        inputs: Callable[[str], PartInputs],
        *,
        uses_objects: bool,
    ) -> None:
        self.open_teacher, self.ledger, self.in_flight = open_teacher, ledger, in_flight
        self.inputs, self.uses_objects = inputs, uses_objects


def read_cases(
    context: RunContext, part: str, inputs: PartInputs, params: ChainParams, *, uses_objects: bool
) -> list[ChainCase]:
    """Return the cases of a part's kept samples."""
    samples = context.lake.read(SAMPLES, parts=[part])
    kept = pc.invert(pc.is_in(samples["sample_id"], pa.array(inputs.dropped, pa.string())))
    objects = context.lake.read(OBJECTS, parts=inputs.image_parts) if uses_objects else None
    return cases_of(samples.filter(kept), objects, params)


class Purchase:
    """The chains of one part."""

    def __init__(
        self, part: str, params: ChainParams, work: DistillWork, context: RunContext
    ) -> None:
        self._part, self._params, self._work, self._context = part, params, work, context
        self.spend = Spend()

    def rows(self) -> Iterator[Produced]:
        """Yield generations, crops and failures; `spend` is known afterwards."""
        inputs = self._work.inputs(self._part)
        cases = read_cases(
            self._context, self._part, inputs, self._params, uses_objects=self._work.uses_objects
        )
        if not cases:
            return
        wanted = {case.image_id for case in cases if case.image_id is not None}
        with image_shelf(self._context.lake, inputs.image_parts, wanted) as shelf:
            yield from self._chains(cases, shelf)
        self._work.ledger.flush()

    def _chains(self, cases: Sequence[ChainCase], shelf: ImageShelf) -> Iterator[Produced]:
        teacher = MeteredTeacher(self._work.open_teacher())
        chains = distill(cases, teacher, ViewCutter(shelf.load), self._work.in_flight)
        seen: set[str] = set()
        unanswered: list[str] = []
        try:
            with closing(_iterate(chains)) as finished:
                for results in _grouped(finished, CHAINS_PER_WRITE):
                    unanswered += _reasons_without_answer(results)
                    _refuse_outage(unanswered, len(cases))
                    tables = tables_of(results, seen)
                    yield Produced(GENERATIONS, tables.generations)
                    yield Produced(IMAGES, tables.images)
                    yield Produced(FAILURES, tables.failures)
                    self._context.progress.advance("distill", rows=len(results))
        finally:
            self.spend = teacher.spend


def _reasons_without_answer(results: Iterable[ChainResult]) -> list[str]:
    """Return why calls failed that may succeed later; such a call is the last of its chain."""
    last = (result.exchanges[-1].response for result in results if result.exchanges)
    return [r.detail or "no reason given" for r in last if r.may_succeed]


def _refuse_outage(unanswered: Sequence[str], n_chains: int) -> None:
    if len(unanswered) <= max(FEW_UNANSWERED, UNANSWERED_SHARE * n_chains):
        return
    msg = (
        f"the teacher gave no answer to {len(unanswered)} of {n_chains} chains, the last time: "
        f"{unanswered[-1]}; what it did answer is kept: build again once the cause is gone"
    )
    raise TeacherError(msg)


def _iterate(source: AsyncIterator[ChainResult]) -> Generator[ChainResult, None, None]:
    """Yield from an async iterator; calls in flight go on in the teacher's own thread."""
    with asyncio.Runner() as runner:
        try:
            while True:
                yield runner.run(_next(source))
        except StopAsyncIteration:
            return


async def _next(source: AsyncIterator[T]) -> T:
    return await anext(source)


def _grouped(items: Iterator[T], most: int) -> Iterator[list[T]]:
    group: list[T] = []
    for item in items:
        group.append(item)
        if len(group) == most:
            yield group
            group = []
    if group:
        yield group
