"""Who is buying what right now: one exclusive claim per call, over all processes of a machine.

A claim is a one-byte record lock in one shared file, at the offset the call's key folds to: the
kernel ends it when the process dies, so a killed run never blocks the next.  Record locks belong
to the process, hence the set beside them for its own threads, and closing *any* descriptor of
the file drops them all, so the file is opened once and kept open.
"""

import fcntl
import os
import threading
from pathlib import Path

from infra.ledger.index import slot_of
from infra.ledger.row import CallKey

CLAIMS_FILE = "claims.lock"
_OFFSET_BITS = 62
"""File offsets are signed 64-bit and the range end must fit too."""


class Claims:
    """Claims of one process; `acquire` never waits."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC
        self._fd = os.open(folder / CLAIMS_FILE, flags, 0o600)
        self._held: set[int] = set()
        self._lock = threading.Lock()

    def acquire(self, key: CallKey) -> bool:
        """Return whether the call is now ours to buy; false while anyone else is buying it."""
        offset = slot_of(key) >> (64 - _OFFSET_BITS)
        with self._lock:
            if offset in self._held:
                return False
            try:
                fcntl.lockf(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, offset)
            except OSError:
                return False
            self._held.add(offset)
            return True

    def release(self, key: CallKey) -> None:
        """Let others buy the call, which by now is in the ledger or has failed."""
        offset = slot_of(key) >> (64 - _OFFSET_BITS)
        with self._lock:
            fcntl.lockf(self._fd, fcntl.LOCK_UN, 1, offset)
            self._held.discard(offset)

    def close(self) -> None:
        """End every claim of this process."""
        os.close(self._fd)
