"""The threads that keep a ledger's promises to other machines while callers do other things.

Every few seconds one shows that this process lives, and one tends the ledger: what was received
goes into the table, where others find it, and what others committed is looked at.  They are two,
because a commit may take long and must not make this process look dead.  A round that fails is
reported and tried again; whether this process may still buy is `Presence.is_sure`'s to say.
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
        self._threads: list[threading.Thread] = []

    def start(self) -> None:
        """Show that this process lives, and keep showing it; idempotent.

        Raises:
            LakeError: the lake does not take the first sign of life.
        """
        with self._lock:
            if self._threads:
                return
            self._presence.beat()
            for action in (self._presence.beat, self._tend):
                thread = threading.Thread(target=self._run, args=(action,), name="keeper")
                thread.daemon = True
                thread.start()
                self._threads.append(thread)

    def stop(self) -> None:
        """End the threads; what was shown stays until it expires, or until `Presence.leave`."""
        self._stopped.set()
        for thread in self._threads:
            thread.join()

    def _run(self, action: Callable[[], object]) -> None:
        while not self._stopped.wait(self._presence.beat_every_s):
            try:
                action()
            except (SightlineError, OSError) as error:
                logger.warning("the ledger is not up to date for other machines: %s", error)
