"""Keeps a live run from buying what an open batch holds: it would be paid twice.

The lake is looked at when a run first buys, and again every `LOOK_AGAIN_S` beside the calls, so a
batch that is sent while a live run of the same recipe is under way may overlap with it that long.
"""

import threading
import time
from typing import Final

from infra.ledger.index import LedgerIndex
from infra.ledger.row import CallKey
from infra.teacher.batch.book import BatchBook

LOOK_AGAIN_S: Final = 30.0


class Reservations:
    """Tells why a call must not be bought live; only the first question waits for the lake."""

    def __init__(self, book: BatchBook) -> None:
        self._book = book
        self._held: LedgerIndex | None = None
        self._looked_at = 0.0
        self._lock = threading.Lock()

    def __reduce__(self) -> tuple[type["Reservations"], tuple[BatchBook]]:
        """Travel to a worker as the lake it looks at."""
        return (Reservations, (self._book,))

    def __call__(self, key: CallKey) -> str | None:
        """Return which open batch holds a call and what to do, null if none does."""
        found = self._index().candidates(key)
        if not found:
            return None
        return (
            f"a call of this run is in the open batch {found[0]}, where it is paid already: run "
            f"`sightline batch collect --wait` first, or `sightline batch cancel {found[0]}`"
        )

    def _index(self) -> LedgerIndex:
        with self._lock:
            if self._held is None:
                self._held, self._looked_at = self._book.held(), time.monotonic()
            elif time.monotonic() - self._looked_at > LOOK_AGAIN_S:
                self._looked_at = time.monotonic()
                threading.Thread(target=self._look, name="reservations", daemon=True).start()
            return self._held

    def _look(self) -> None:
        held = self._book.held()
        with self._lock:
            self._held = held
