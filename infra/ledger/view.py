"""The ledger read without being opened: nothing is recovered, claimed or written.

For whoever only asks what was bought, such as a plan.  It sees the table and the lines that
processes of this machine have in their spools, as they stood when it was opened.
"""

from pathlib import Path

from infra.lake.lake import Lake
from infra.ledger.disk_segments import read_line
from infra.ledger.ledger import spool_folder
from infra.ledger.row import CallKey, LedgerRow
from infra.ledger.table import LedgerTable
from infra.ledger.tail import SpoolTail


class LedgerView:
    """Paid calls of one lake; safe to read from several threads."""

    def __init__(self, lake: Lake, spool_dir: Path) -> None:
        folder = spool_folder(spool_dir, lake.uri)
        self._tail = SpoolTail(folder)
        self._tail.advance(frozenset())
        self._table = LedgerTable(lake)
        self._table.look()

    def flush(self) -> None:
        """Do nothing: there is nothing here that waits to be committed."""

    def lookup(self, request_key: str, draw: int) -> LedgerRow | None:
        """Return the call if it was paid before this view was opened."""
        key = (request_key, draw)
        try:
            return self._find(key)
        except FileNotFoundError:  # its segment was committed meanwhile, or its part joined
            self._table.look()
            return self._table.find(key)

    def _find(self, key: CallKey) -> LedgerRow | None:
        place = self._tail.find(key)
        if place is None:
            return self._table.find(key)
        return LedgerRow.from_payload(read_line(place))
