"""Who is at work on a lake: one small object per process, rewritten every few seconds.

Clocks of machines differ, so none is compared with another: a process counts as gone when its
object has not changed for `expiry_s` of the *observer's* clock, or is deleted.  Whoever could not
rewrite its own object for half that time must take nothing new, since others may soon believe
that it is gone.
"""

import secrets
import threading
from collections.abc import Callable
from typing import Final

from infra.lake.objects import ObjectStore
from infra.ledger.clock import elapsed_s

OWNERS: Final = "claims/owners/"
BEAT_S: Final = 15.0
BEATS_PER_EXPIRY: Final = 8
"""At least: some may fail before others could take this process for gone."""
READ_AGAIN_S: Final = 1.0
"""How long one look at another process' object serves all who ask about it."""


class _Sighting:
    """What was last seen of another process."""

    def __init__(self, now: float) -> None:
        self.beat: bytes | None = None
        self.changed_at = now
        self.looked_at = float("-inf")


class Presence:
    """This process' sign of life on a lake, and what it knows of the others."""

    def __init__(
        self,
        objects: ObjectStore,
        expiry_s: float,
        clock: Callable[[], float] = elapsed_s,
    ) -> None:
        self.owner = secrets.token_hex(8)
        self._objects, self._expiry_s, self._clock = objects, expiry_s, clock
        self._beats = 0
        self._beat_at = float("-inf")
        self._seen: dict[str, _Sighting] = {}
        self._lock = threading.Lock()

    @property
    def beat_every_s(self) -> float:
        """Return how often to show a sign of life."""
        return min(BEAT_S, self._expiry_s / BEATS_PER_EXPIRY)

    @property
    def is_sure(self) -> bool:
        """Whether no other process can take this one for gone."""
        return self._clock() - self._beat_at < self._expiry_s / 2

    def beat(self) -> None:
        """Show that this process lives.

        Raises:
            LakeError: the store does not take it.
        """
        now = self._clock()
        self._beats += 1
        self._objects.put(OWNERS + self.owner, b"%d" % self._beats)
        self._beat_at = now

    def leave(self) -> None:
        """Take the sign of life down: what this process held is free at once."""
        if not self._beats:
            return
        self._beat_at = float("-inf")
        self._objects.delete(OWNERS + self.owner)

    def is_gone(self, owner: str) -> bool:
        """Return whether `owner` left, or has shown no sign of life for the whole expiry."""
        with self._lock:
            now = self._clock()
            sighting = self._seen.setdefault(owner, _Sighting(now))
            if now - sighting.looked_at >= READ_AGAIN_S:
                self._look(owner, sighting, now)
            return sighting.beat is None or now - sighting.changed_at > self._expiry_s

    def _look(self, owner: str, sighting: _Sighting, now: float) -> None:
        try:
            beat = self._objects.get(OWNERS + owner)
        except FileNotFoundError:
            sighting.beat = None
            return
        if beat != sighting.beat:
            sighting.beat, sighting.changed_at = beat, now
        sighting.looked_at = now
