"""Keeps a live run from buying what an open batch holds: it would be paid twice.

The lake is looked at when a run first buys, and again every `LOOK_AGAIN_S` beside the calls, so a
batch that is sent while a live run of the same recipe is under way may overlap with it that long.

Easy to get wrong: a batch that another machine collected is open no longer, and its answers are in
the ledger, but not in what this machine knows of the ledger.  So the ledger is looked at again
after every look at the batches and before that look counts.
"""

import logging
import threading
from typing import Final

from infra.ledger.clock import elapsed_s
from infra.ledger.index import LedgerIndex
from infra.ledger.ledger import Ledger
from infra.ledger.row import CallKey
from infra.teacher.batch.book import BatchBook
from sightline.errors import LakeError

logger = logging.getLogger(__name__)

LOOK_AGAIN_S: Final = 30.0


class Reservations:
    """Tells why a call must not be bought live; only the first question waits for the lake."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger, self._book = ledger, BatchBook(ledger.lake)
        self._held: LedgerIndex | None = None
        self._looked_at = 0.0
        self._lock = threading.Lock()

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
                self._held, self._looked_at = self._look(), elapsed_s()
            elif elapsed_s() - self._looked_at > LOOK_AGAIN_S:
                self._looked_at = elapsed_s()
                threading.Thread(target=self._look_again, name="reservations", daemon=True).start()
            return self._held

    def _look(self) -> LedgerIndex:
        held = self._book.held()
        self._ledger.refresh()
        return held

    def _look_again(self) -> None:
        try:
            held = self._look()
        except (LakeError, OSError) as error:
            logger.warning("open batches are as they were before: %s", error)
            return
        with self._lock:
            self._held = held
