"""Who is buying what, over all machines of a lake: numbered objects that can only be created.

`claims/calls/<slot>.<n>` is taken by whoever creates it; the next number may be tried only when
the holder of this one is gone or has let go, so one of those who try wins.  Nothing else of S3 is
relied on (`infra/lake/objects.py`).

Easy to get wrong: a claim outlives its purchase.  The answer is in the buyer's spool first, where
other machines cannot see it, so the claim is let go only if nothing was bought; else it stands
until the row is in the table, which every later claimant looks at before it believes a claim.
"""

import json
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from infra.lake.objects import ObjectInfo, ObjectStore
from infra.ledger.index import slot_of
from infra.ledger.presence import OWNERS, Presence
from infra.ledger.row import CallKey
from sightline.errors import LakeError

CALLS: Final = "claims/calls/"
THREADS: Final = 32
"""A claim is one small PUT of some milliseconds; so many are under way at once."""
ASK_AGAIN_S: Final = 2.0
"""How long to wait before the lake is asked again for a call that somebody else is buying."""
VIEW_S: Final = 1.0
"""How long one look at the table serves all who wait."""
KEEP_S: Final = 86_400.0
"""A claim is removed no sooner than so long after it was taken."""
MAX_VIEW_S: Final = 60.0
"""Nobody believes a claim on a look at the table that is older, and so long after the look that
says a call is bought its claim may be removed."""

LookAgain = Callable[[float], None]
"""Takes in what was committed, unless the last look is younger than so many seconds."""


@dataclass(frozen=True, slots=True)
class Holder:
    """Who holds a claim; an empty owner has let go."""

    owner: str
    machine: str

    def to_bytes(self) -> bytes:
        """Return the content of a claim's object."""
        return json.dumps({"owner": self.owner, "machine": self.machine}).encode()

    @classmethod
    def from_bytes(cls, data: bytes) -> "Holder":
        """Return the holder that a claim's object names."""
        fields = json.loads(data)
        return cls(str(fields["owner"]), str(fields["machine"]))


class LakeClaims:
    """Claims of one process among all machines; every method may block on the store."""

    def __init__(
        self, objects: ObjectStore, presence: Presence, machine: str, look_again: LookAgain
    ) -> None:
        self._objects, self._presence, self._look_again = objects, presence, look_again
        self._me = Holder(presence.owner, machine)
        self._lock = threading.Lock()
        self._held: dict[CallKey, str] = {}

    @property
    def are_sure(self) -> bool:
        """Return whether no other machine can take this process for gone."""
        return self._presence.is_sure

    def acquire(self, key: CallKey) -> bool:
        """Return whether the call is ours to buy, once the ledger was asked for it again.

        Call it only while this machine's own claim is held: a claim of this machine that others
        left behind is then known to be free.

        Raises:
            LakeError: the store does not answer as it should.
        """
        if not self.are_sure:
            return False
        taken = self._take(f"{CALLS}{slot_of(key):016x}")
        if taken is None:
            self._look_again(VIEW_S)
            return False
        self._look_again(MAX_VIEW_S if taken.endswith(".0") else 0.0)
        with self._lock:
            self._held[key] = taken
        return True

    def keep(self, key: CallKey) -> None:
        """Leave the claim as it is: the call was bought, and will be in the table."""
        with self._lock:
            self._held.pop(key, None)

    def let_go(self, key: CallKey) -> None:
        """Let others buy the call; nothing was bought here."""
        with self._lock:
            taken = self._held.pop(key, None)
        if taken is not None:
            self._objects.put(taken, Holder("", self._me.machine).to_bytes())

    def _take(self, stem: str) -> str | None:
        """Return the number that is now ours, null while somebody else holds the last one."""
        number = 0
        while not self._objects.put(f"{stem}.{number}", self._me.to_bytes(), create_only=True):
            try:
                holder = Holder.from_bytes(self._objects.get(f"{stem}.{number}"))
            except FileNotFoundError:
                return None  # being removed: the call is in the table
            except (ValueError, KeyError, TypeError) as exc:
                msg = f"expected a claim in {stem}.{number} of {self._objects.uri}, found {exc!r}"
                raise LakeError(msg) from exc
            if not self._is_free(holder):
                return None
            number += 1
        return f"{stem}.{number}"

    def _is_free(self, holder: Holder) -> bool:
        if not holder.owner or holder.machine == self._me.machine:
            return True
        return self._presence.is_gone(holder.owner)


def remove_settled_claims(
    objects: ObjectStore,
    is_paid: Callable[[int], bool],
    *,
    keep_s: float = KEEP_S,
    grace_s: float = MAX_VIEW_S,
) -> int:
    """Delete old claims of calls that are in the ledger; return how many.

    Nobody walks the numbers of such a call: who looks the call up finds it first.  A claim whose
    call never came is kept, so that no number of it can be taken twice.

    Args:
        objects: of the lake.
        is_paid: whether the table, looked at just now, holds a call of this slot.
        keep_s: least age of what is deleted.
        grace_s: wait before deleting, so that everybody's look at the table is as new.
    """
    limit = datetime.now(UTC) - timedelta(seconds=keep_s)
    settled = [found.key for found in _older(objects, CALLS, limit) if is_paid(_slot(found.key))]
    left = [found.key for found in _older(objects, OWNERS, limit)]
    if settled:
        time.sleep(grace_s)
    with ThreadPoolExecutor(THREADS, thread_name_prefix="claims") as threads:
        list(threads.map(objects.delete, [*settled, *left]))
    return len(settled)


def _older(objects: ObjectStore, prefix: str, limit: datetime) -> Iterator[ObjectInfo]:
    return (found for found in objects.list(prefix) if found.modified < limit)


def _slot(key: str) -> int:
    return int(key.removeprefix(CALLS).partition(".")[0], 16)
