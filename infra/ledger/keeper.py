"""The thread that keeps a ledger's promises to other machines while callers do other things.

Every few seconds it shows that this process lives, and tends the ledger: what was received goes
into the table, where others find it, and what others committed is looked at.  A round that fails
is reported and tried again; whether this process may still buy is `Presence.is_sure`'s to say.
"""

import logging
import threading
from collections.abc import Callable

from infra.ledger.presence import Presence
from sightline.errors import SightlineError

logger = logging.getLogger(__name__)


class Keeper:
    """Beats and tends until it is stopped; starts with the first call that needs it."""

    def __init__(self, presence: Presence, tend: Callable[[], None]) -> None:
        self._presence, self._tend = presence, tend
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Show that this process lives, and keep showing it; idempotent.

        Raises:
            LakeError: the lake does not take the first sign of life.
        """
        with self._lock:
            if self._thread is None:
                self._presence.beat()
                self._thread = threading.Thread(target=self._run, name="keeper", daemon=True)
                self._thread.start()

    def stop(self) -> None:
        """End the thread; what it shows stays until it expires, or until `Presence.leave`."""
        self._stopped.set()
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        while not self._stopped.wait(self._presence.beat_every_s):
            self._try(self._presence.beat)
            self._try(self._tend)

    def _try(self, action: Callable[[], None]) -> None:
        try:
            action()
        except (SightlineError, OSError) as error:
            logger.warning("the ledger is not up to date for other machines: %s", error)
