"""Who is buying what right now: one exclusive claim per call, of a machine or of a whole lake.

On one machine a claim is a one-byte record lock in one shared file, at the offset the call's key
folds to: the kernel ends it when the process dies, so a killed run never blocks the next.  Record
locks belong to the process, hence the set beside them for its own threads, and closing *any*
descriptor of the file drops them all, so the file is opened once and kept open.

Where several machines share a lake, `infra/ledger/lake_claims.py` comes on top: the lock, which
is free, is taken first, so that the processes of one machine never ask the lake twice.
"""

import asyncio
import fcntl
import logging
import os
import threading
import uuid
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Protocol

from infra.ledger.index import slot_of
from infra.ledger.lake_claims import ASK_AGAIN_S, THREADS, LakeClaims
from infra.ledger.row import CallKey
from sightline.errors import LakeError

logger = logging.getLogger(__name__)

CLAIMS_FILE = "claims.lock"
BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_OFFSET_BITS = 62
"""File offsets are signed 64-bit and the range end must fit too."""


class Claims(Protocol):
    """What the engine asks before it buys."""

    async def acquire(self, key: CallKey) -> bool:
        """Return whether the call is now ours to buy; false while anyone else is buying it.

        Look the call up again after either answer: it may have been bought meanwhile.

        Raises:
            LakeError: the lake was asked and does not answer.
        """
        ...

    def release(self, key: CallKey) -> None:
        """Let others have the call, which by now is in the ledger or has failed."""
        ...

    @property
    def are_sure(self) -> bool:
        """Return whether nobody can have taken over what is held, for a minute or more to come."""
        ...


class MachineClaims:
    """Claims among the processes of this machine; nothing here waits.

    Attributes:
        machine: the same for all processes whose locks exclude each other, and only for them.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC
        self._fd = os.open(folder / CLAIMS_FILE, flags, 0o600)
        self._held: set[int] = set()
        self._lock = threading.Lock()
        self.machine = _lock_name(self._fd)

    async def acquire(self, key: CallKey) -> bool:
        """See `Claims.acquire`."""
        return self.try_acquire(key)

    def try_acquire(self, key: CallKey) -> bool:
        """Return whether the call is now ours, as far as this machine goes."""
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
        """See `Claims.release`."""
        offset = slot_of(key) >> (64 - _OFFSET_BITS)
        with self._lock:
            fcntl.lockf(self._fd, fcntl.LOCK_UN, 1, offset)
            self._held.discard(offset)

    @property
    def are_sure(self) -> bool:
        """See `Claims.are_sure`; the kernel takes no lock away."""
        return True

    def close(self) -> None:
        """End every claim of this process; idempotent."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


def _lock_name(fd: int) -> str:
    """Name a lock file by kernel and inode: a container or a copy of a disk is another machine."""
    stat = os.fstat(fd)
    boot = BOOT_ID.read_text().strip() if BOOT_ID.exists() else uuid.uuid4().hex
    return f"{boot}/{stat.st_dev}/{stat.st_ino}"


class SharedClaims:
    """Claims among all machines of a lake; the lake is asked in threads, beside the event loop."""

    def __init__(
        self,
        machine: MachineClaims,
        lake: LakeClaims,
        is_paid: Callable[[CallKey], bool],
        start: Callable[[], None],
    ) -> None:
        """Bind the two gates.

        Args:
            machine: asked first.
            lake: asked while the machine's claim is held.
            is_paid: whether a call that is released was bought.
            start: makes this process known on the lake; called before each claim, cheap after
                the first time.
        """
        self._machine, self._lake = machine, lake
        self._is_paid, self._start = is_paid, start
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="claims")

    async def acquire(self, key: CallKey) -> bool:
        """See `Claims.acquire`; a refusal by the lake comes after a while, as asking costs."""
        if not self._machine.try_acquire(key):
            return False
        asked = self._threads.submit(self._ask_lake, key)
        try:
            is_ours = await asyncio.shield(asyncio.wrap_future(asked))
        except asyncio.CancelledError:
            asked.add_done_callback(lambda done: self._undo(key, done))
            raise
        except BaseException:
            self._machine.release(key)
            raise
        if not is_ours:
            self._machine.release(key)
            await asyncio.sleep(ASK_AGAIN_S)
        return is_ours

    def release(self, key: CallKey) -> None:
        """See `Claims.release`; the lake hears of it soon after."""
        if self._is_paid(key):
            self._lake.keep(key)
            self._machine.release(key)
        else:
            self._threads.submit(self._let_go, key)

    @property
    def are_sure(self) -> bool:
        """See `Claims.are_sure`."""
        return self._lake.are_sure

    def close(self) -> None:
        """End what is under way; the machine's claims are closed by their owner."""
        self._threads.shutdown()

    def _ask_lake(self, key: CallKey) -> bool:
        self._start()
        return self._lake.acquire(key)

    def _undo(self, key: CallKey, asked: "Future[bool]") -> None:
        """Let go of what was acquired for a caller that has gone."""
        if asked.exception() is None and asked.result():
            self._let_go(key)
        else:
            self._machine.release(key)

    def _let_go(self, key: CallKey) -> None:
        try:
            self._lake.let_go(key)
        except LakeError as error:
            logger.warning("others wait for call %s until this run ends: %s", key, error)
        finally:
            self._machine.release(key)
