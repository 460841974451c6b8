"""The committed side of the ledger: which calls the table holds, and their rows.

The table is looked at when somebody says that it has changed; between two looks the index answers
from memory, at 12 bytes a row.  Two things change what an index knows: parts are added, and small
parts are joined, whereupon the old names read as empty (`infra/ledger/compaction.py`).
"""

import logging
import threading
from typing import Final

from infra.lake.lake import Lake
from infra.ledger.cache import LedgerCache
from infra.ledger.clock import elapsed_s
from infra.ledger.index import LedgerIndex
from infra.ledger.row import CallKey, LedgerRow, ledger_table
from sightline.provenance import Commit, Step
from sightline.schemas import LEDGER

logger = logging.getLogger(__name__)

STEP: Final = Step("ledger", 1)
INDEX_ROWS: Final = 16_384


class LedgerTable:
    """Committed calls of one lake; all methods may be called from any thread."""

    def __init__(self, lake: Lake) -> None:
        self._lake = lake
        self._lock = threading.RLock()
        self._index = LedgerIndex()
        self._rows_of: dict[str, int] = {}
        self._cache = LedgerCache(lake)
        self._looked_at = float("-inf")

    def find(self, key: CallKey) -> LedgerRow | None:
        """Return the call if the table held it at the last look.

        Raises:
            FileNotFoundError: parts were joined since; look again.
        """
        with self._lock:
            for part in self._index.candidates(key):
                row = self._cache.find(part, self._rows_of[part], key)
                if row is not None:
                    return row
            return None

    def holds(self, key: CallKey) -> bool:
        """Return whether the table very probably holds the call; reads no file."""
        with self._lock:
            return bool(self._index.candidates(key))

    def holds_slot(self, slot: int) -> bool:
        """Return whether the table holds a call that folds to `slot`."""
        with self._lock:
            return self._index.holds_slot(slot)

    def look(self, *, older_than_s: float = 0.0) -> None:
        """Take in what was committed or joined since the last look, if that is so old."""
        with self._lock:
            now = elapsed_s()
            if now - self._looked_at < older_than_s:
                return
            while not self._is_up_to_date():
                logger.info("ledger: parts were joined while they were read; reading again")
            self._looked_at = now

    def publish(self, part: str, fingerprint: str, rows: list[LedgerRow]) -> Commit:
        """Commit rows as one part, unless it is there already.

        Raises:
            LakeError: the lake refuses.
        """
        if self._lake.is_done(LEDGER, part, fingerprint):
            return Commit(LEDGER.name, part, fingerprint, len(rows), reused=True)
        table = LEDGER.with_provenance(
            ledger_table(rows),
            part=part,
            run_id=STEP.run_id(part, fingerprint),
            fingerprint=fingerprint,
        )
        with self._lake.stage(LEDGER, part, fingerprint) as writer:
            writer.write(table)
            staged = writer.finish()
        return self._lake.publish(LEDGER, [staged])[0]

    def add(self, commit: Commit, rows: list[LedgerRow]) -> None:
        """Index what was committed here; a part that was there already may have been joined."""
        if commit.reused:
            self.look()
            return
        with self._lock:
            self._rows_of[commit.part] = len(rows)
            self._index.add(commit.part, [row.call_key for row in rows])

    def _is_up_to_date(self) -> bool:
        """Take in new parts, then forget joined ones; false if parts were joined meanwhile."""
        present = {part.part for part in self._lake.parts(LEDGER) if part.rows}
        fresh = [part for part in present if not self._index.knows(part)]
        if fresh:
            self._take_in(fresh)
        for part in self._index.parts - present:
            self._forget(part)
        return self._index.parts == present

    def _forget(self, part: str) -> None:
        self._index.drop(part)
        self._cache.drop(part)
        self._rows_of.pop(part, None)

    def _take_in(self, parts: list[str]) -> None:
        keys_of: dict[str, list[CallKey]] = {part: [] for part in parts}
        columns = ["part", "request_key", "draw"]
        for table in self._lake.scan(LEDGER, parts=parts, columns=columns, batch_rows=INDEX_ROWS):
            rows = (table[name].to_pylist() for name in columns)
            for part, request_key, draw in zip(*rows, strict=True):
                keys_of[part].append((request_key, draw))
        for part, keys in keys_of.items():
            if keys:
                self._rows_of[part] = len(keys)
                self._index.add(part, keys)
