"""Follows spool segments on this machine: what they hold is bought, though not yet committed.

Segments only grow and are deleted once committed.  A follower remembers how far it has read each
one and takes whole, undamaged lines only; the cut line at the end may be half a write, so it is
looked at again next time.  A segment that is gone has been committed: its rows are now in the
table, which the ledger must look at *before* it forgets them here.
"""

import os
from dataclasses import dataclass, field
from pathlib import Path

from infra.ledger.disk_segments import segments
from infra.ledger.lines import Location, scan_lines
from infra.ledger.row import CallKey, LedgerRow


@dataclass(slots=True)
class _Followed:
    offset: int = 0
    keys: list[CallKey] = field(default_factory=list)


class SpoolTail:
    """Locations of calls in segments that others write; not thread-safe, the ledger guards it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._followed: dict[Path, _Followed] = {}
        self._places: dict[CallKey, Location] = {}

    def find(self, key: CallKey) -> Location | None:
        """Return where the call stands, as far as the last `advance` saw."""
        return self._places.get(key)

    def advance(self, own: frozenset[Path]) -> bool:
        """Read what was appended since the last time; return whether a segment is gone."""
        present = [path for path in segments(self._folder) if path not in own]
        for path in present:
            self._read_on(path)
        return not self._followed.keys() <= set(present)

    def gone(self) -> list[Path]:
        """Return the followed segments that no longer exist: their rows are in the table."""
        return [path for path in self._followed if not path.exists()]

    def forget(self, gone: list[Path]) -> None:
        """Forget segments that were gone *before* the table was looked at."""
        for path in gone:
            for key in self._followed.pop(path).keys:
                place = self._places.get(key)
                if place is not None and place.segment == str(path):
                    del self._places[key]

    def _read_on(self, path: Path) -> None:
        followed = self._followed.setdefault(path, _Followed())
        try:
            with path.open("rb") as file:
                if os.fstat(file.fileno()).st_size <= followed.offset:
                    return
                file.seek(followed.offset)
                data = file.read()
        except FileNotFoundError:
            return
        whole = data[: data.rfind(b"\n") + 1]
        for place, payload in scan_lines(whole, str(path), followed.offset):
            if payload is not None:
                key = LedgerRow.from_payload(payload).call_key
                self._places.setdefault(key, place)
                followed.keys.append(key)
        followed.offset += len(whole)
