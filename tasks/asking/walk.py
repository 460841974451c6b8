"""Asks that find out what is missing: each ends where a call is not answered yet.

The asks are the same as of a build, asked of somebody who answers from the ledger and buys nothing
(`infra.teacher.batch.collector`), so what a walk wants is what the build would buy.
"""

import asyncio
from collections.abc import Iterable, Iterator, Sequence
from typing import TypeVar

from infra.teacher.batch.wanted import CallWantedError
from tasks.asking.in_order import GoOn, Run, in_order
from tasks.asking.places import Places

T = TypeVar("T")
R = TypeVar("R")


class Walk:
    """Stands where a part's `Purchase` stands in a build: asks everything and gives no results."""

    def __init__(self, places: Places) -> None:
        self._places = places
        self.is_finished = True

    def groups(self, items: Sequence[T], run: Run[T, R]) -> Iterator[list[R]]:
        """Ask about `items`; `is_finished` says whether all of it was answered.

        Raises:
            TeacherError: what is wanted cannot be sent.
        """
        self.is_finished &= asyncio.run(_walk(items, run, self._places))
        return iter(())


async def _walk(items: Iterable[T], run: Run[T, R], places: Places) -> bool:
    async def is_finished(item: T, go_on: GoOn) -> bool:
        try:
            await run(item, go_on)
        except CallWantedError:
            return False
        return True

    return all([finished async for finished in in_order(items, is_finished, places)])
