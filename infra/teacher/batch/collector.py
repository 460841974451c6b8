"""An asker that buys nothing: it answers from the ledger and notes what is missing.

A chain asks one question after another, so what a batch has to send is found by walking chains
against the ledger until each meets a call that it does not hold.  Such a chain ends there with
`CallWantedError` and is walked again once the call is answered; the answers it met on the way cost
nothing the second time.
"""

import asyncio
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from infra.ledger.ledger import Ledger
from infra.ledger.row import CallKey
from infra.teacher.batch.book import PastTries
from infra.teacher.batch.wanted import CallWantedError
from infra.teacher.reply import response_of, response_without
from infra.teacher.truncation import answer_with_room
from infra.teacher.types import Request, Response
from sightline.errors import TeacherError

MAX_BATCHES: Final = 3
"""Batches that may hold a call without answering it before its row fails."""


@dataclass(frozen=True, slots=True)
class WaveCounts:
    """What walking chains met.

    Attributes:
        answered: calls that the ledger holds.
        wanted: calls handed on to be sent.
        waiting: calls that open batches hold.
        given_up: calls that get no answer any more.
    """

    answered: int = 0
    wanted: int = 0
    waiting: int = 0
    given_up: int = 0

    @property
    def is_complete(self) -> bool:
        """Return whether every chain came to its end."""
        return not (self.wanted or self.waiting)


class Collector:
    """Answers from the ledger; safe to share between event loops."""

    def __init__(
        self, ledger: Ledger, past: PastTries, want: Callable[[Request], None] | None
    ) -> None:
        """Ask of `ledger`.

        Args:
            ledger: what was bought.
            past: what earlier batches made of calls that it does not hold.
            want: takes a call to be sent; null where every call must have been answered.
        """
        self._ledger, self._past, self._want = ledger, past, want
        self._lock = threading.Lock()
        self._held_in: set[str] = set()
        self._counts = dict.fromkeys(("answered", "wanted", "waiting", "given_up"), 0)

    @property
    def held_in(self) -> frozenset[str]:
        """Return the open batches that hold calls which were asked for."""
        return frozenset(self._held_in)

    @property
    def counts(self) -> WaveCounts:
        """Return what was met so far."""
        return WaveCounts(**self._counts)

    async def ask(self, request: Request) -> Response:
        """Return the answer that the ledger holds.

        Raises:
            CallWantedError: there is none yet.
            TeacherError: there is none, and nothing more is sent.
        """
        return await answer_with_room(request, self._answer)

    async def _answer(self, request: Request) -> Response:
        key = request.call_key
        row = await asyncio.to_thread(self._ledger.lookup, *key)
        if row is not None:
            self._count("answered")
            return response_of(row, reused=True)
        detail = self._given_up(key)
        if detail is not None:
            self._count("given_up")
            return response_without(key, detail)
        if (batch_key := self._past.batch_of(key)) is not None:
            self._count("waiting")
            self._held_in.add(batch_key)
        elif self._want is None:
            msg = "a call is neither in the ledger nor in a batch; run the batch build again"
            raise TeacherError(msg)
        else:
            await asyncio.to_thread(self._want, request)
            self._count("wanted")
        raise CallWantedError

    def _given_up(self, key: CallKey) -> str | None:
        """Return why a call is not sent again, null if it may be."""
        if key in self._past.rejected:
            return self._past.rejected[key]
        tries = self._past.times[key]
        if tries < MAX_BATCHES:
            return None
        return f"no answer in {tries} batches, the last time: {self._past.said[key]}"

    def _count(self, name: str) -> None:
        with self._lock:
            self._counts[name] += 1
