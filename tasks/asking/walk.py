"""Asks that find out what is missing: each ends where a call is not answered yet.

The asks are the same as of a build, asked of somebody who answers from the ledger and buys nothing
(`infra.teacher.batch.collector`), so what a walk wants is what the build would buy.
"""

import asyncio
from collections.abc import Iterable
from typing import TypeVar

from infra.teacher.batch.collector import CallWantedError
from tasks.asking.in_order import GoOn, Run, in_order
from tasks.asking.places import Places

T = TypeVar("T")
R = TypeVar("R")


def walk(items: Iterable[T], run: Run[T, R], places: Places) -> bool:
    """Return whether `run` came to its end for every one of `items`.

    Raises:
        TeacherError: what is wanted cannot be sent.
    """

    async def is_finished(item: T, go_on: GoOn) -> bool:
        try:
            await run(item, go_on)
        except CallWantedError:
            return False
        return True

    async def walk_all() -> bool:
        return all([finished async for finished in in_order(items, is_finished, places)])

    return asyncio.run(walk_all())
