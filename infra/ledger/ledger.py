"""The ledger of one lake: every paid call, so that nothing received is lost or bought again.

A response is first a line in a spool segment (durable, `infra/ledger/spool.py`), later a row of the
`ledger` table; `lookup` finds it in either.  The rules that make kill -9 harmless:

* a part of the table is named after the content of its segment, so committing a segment twice is
  committing the same part with the same fingerprint, which the lake refuses;
* a segment is deleted only after its commit, and taken over only from who cannot write to it;
* whoever commits writes the part's name to `commits.log` first, so that other processes of the
  machine look at the table again when a segment they followed is gone.

Memory: 12 bytes per committed row, about 400 bytes per row not yet committed, and at most 128 MB
of responses read back.  ADR 0006 has the reasons, and what other machines are promised.
"""

import hashlib
import logging
import threading
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from infra.lake.lake import Lake
from infra.ledger.claims import Claims, MachineClaims, SharedClaims
from infra.ledger.disk_segments import DiskSegments
from infra.ledger.keeper import Keeper
from infra.ledger.lake_claims import LakeClaims
from infra.ledger.lake_segments import LakeSegments
from infra.ledger.lines import Location
from infra.ledger.presence import Presence
from infra.ledger.row import CallKey, LedgerRow
from infra.ledger.spool import Segment, Spool
from infra.ledger.table import LedgerTable
from infra.ledger.tail import SpoolTail
from sightline.errors import LakeError
from sightline.provenance import FINGERPRINT_HEX_CHARS, Commit

logger = logging.getLogger(__name__)

COMMITS_FILE: Final = "commits.log"
EXPIRY_S: Final = 360.0
_LOOKS: Final = 3
"""A row can move from segment to table between finding and reading it; once more finds it."""


@dataclass(frozen=True, slots=True)
class Sharing:
    """What a ledger promises beyond its machine.

    Attributes:
        claims_in_lake: no two machines buy the same call at once.
        spool_in_lake: what was received survives the loss of this machine's disks; other
            processes do not see it before its commit, so claims are in the lake too.
        expiry_s: how long a process that shows no sign of life is waited for; longer than the
            longest call, which may still be answered.
    """

    claims_in_lake: bool = False
    spool_in_lake: bool = False
    expiry_s: float = EXPIRY_S

    @property
    def is_wanted(self) -> bool:
        """Return whether anything is promised beyond the machine."""
        return self.claims_in_lake or self.spool_in_lake


def spool_folder(root: Path, lake_uri: str) -> Path:
    """Return the spool folder of a lake under `root`: segments of two lakes never mix."""
    return root / hashlib.sha256(lake_uri.encode()).hexdigest()[:16]


class Ledger:
    """Paid calls of one lake; share one per process, all methods may be called from any thread."""

    def __init__(self, lake: Lake, spool_dir: Path, sharing: Sharing | None = None) -> None:
        self._lake, self._sharing = lake, sharing or Sharing()
        self._folder = spool_folder(spool_dir, lake.uri)
        self._table = LedgerTable(lake)
        self._presence = Presence(lake.objects, self._sharing.expiry_s)
        self._keeper = Keeper(self._presence, self._tend)
        self._disk = DiskSegments(self._folder)
        self._in_lake = LakeSegments(lake.objects, self._presence.owner)
        self._store = self._in_lake if self._sharing.spool_in_lake else self._disk
        self._spool = Spool(self._store)
        self._machine_claims = MachineClaims(self._folder)
        self._shared_claims = self._opened_claims() if self._sharing.is_wanted else None
        self._lock = threading.RLock()
        self._flush_lock = threading.Lock()
        self._own: dict[CallKey, Location] = {}
        self._tail = SpoolTail(self._folder)
        self._seen_commits = -1

    @property
    def folder(self) -> Path:
        """Return where this lake's segments lie on this machine."""
        return self._folder

    @property
    def lake(self) -> Lake:
        """Return the lake whose ledger this is."""
        return self._lake

    @property
    def claims(self) -> Claims:
        """Return whom to ask before buying a call."""
        return self._shared_claims or self._machine_claims

    def __enter__(self) -> Self:
        self.recover()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def recover(self) -> list[Commit]:
        """Commit the segments that others left behind; call once before asking."""
        with self._flush_lock:
            orphans = (orphan for s in (self._disk, self._in_lake) for orphan in s.orphans())
            commits = [commit for orphan in orphans if (commit := self._commit_orphan(orphan))]
        self.refresh()
        if commits:
            logger.info(
                "ledger: %d responses recovered from %d segments",
                sum(commit.rows for commit in commits),
                len(commits),
            )
        return commits

    def lookup(self, request_key: str, draw: int) -> LedgerRow | None:
        """Return the call if it was ever paid: here, by another process, or in an earlier run."""
        key = (request_key, draw)
        for _ in range(_LOOKS):
            try:
                return self._lookup(key)
            except FileNotFoundError:
                self.refresh()
                if self._table.holds(key):
                    self._own.pop(key, None)  # somebody took the segment over and committed it
        msg = f"the spool in {self._folder} changes while it is read; is a person moving files?"
        raise LakeError(msg)

    def record(self, row: LedgerRow) -> "Future[None]":
        """Make a paid call durable; it counts, here and everywhere, once the future is done.

        `settle` runs in the spool's thread, hence before any later `seal`, and takes no lock, so
        that a reader waiting for the lake does not hold up those who wait for the disk.
        """
        recorded: Future[None] = Future()

        def settle(appended: "Future[Location]") -> None:
            error = appended.exception()
            if error is not None:
                recorded.set_exception(error)
                return
            self._own.setdefault(row.call_key, appended.result())
            recorded.set_result(None)

        self._spool.append(row.to_payload()).add_done_callback(settle)
        return recorded

    def flush(self) -> list[Commit]:
        """Commit what was recorded so far to the table.

        Raises:
            LakeError: the lake refuses; the segments stay and the next flush tries again.
        """
        with self._flush_lock:
            sealed = self._spool.seal()
            commits: list[Commit] = []
            while sealed:
                try:
                    commit = self._commit(sealed[0])
                except BaseException:
                    for segment in sealed:
                        self._spool.keep(segment)
                    raise
                commits += [commit] if commit else []
                sealed.pop(0)
        return commits

    def commit_part(self, part: str, rows: Sequence[LedgerRow]) -> Commit:
        """Commit calls that are durable elsewhere until then, such as the results of a batch.

        `part` names what they came from: it is committed once, by whichever machine is first, and
        a call that the ledger holds already is left out.  If it was committed with fewer of the
        rows, as from a download that was cut, the others follow in a part of their own.

        Raises:
            LakeError: the lake refuses.
        """
        self.refresh()
        commit = self._publish(part, _digest(part), self._lacking(rows))
        if commit.reused and (others := self._lacking(rows)):
            keys = "\n".join(f"{key}/{draw}" for key, draw in (row.call_key for row in others))
            return self._publish(f"{part}-{_digest(keys)}", _digest(keys), others)
        return commit

    def refresh(self) -> None:
        """Index the parts that were committed since the last look, by whomever."""
        with self._lock:
            seen, gone = self._commits_size(), self._tail.gone()
            self._table.look()  # it may fail: what is known so far must still lead here again
            self._tail.forget(gone)
            self._seen_commits = seen

    def holds_slot(self, slot: int) -> bool:
        """Return whether the table held a call that folds to `slot` at the last look."""
        return self._table.holds_slot(slot)

    def close(self) -> None:
        """Stop writing; what is not flushed stays in its segment and is recovered later."""
        self._keeper.stop()
        self._spool.close()
        if self._shared_claims is not None:
            self._shared_claims.close()
            self._leave()
        self._machine_claims.close()

    def _opened_claims(self) -> SharedClaims:
        """Return claims among machines; without a spool on disk each process is a machine."""
        mine = self._machine_claims
        machine = self._presence.owner if self._sharing.spool_in_lake else mine.machine
        in_lake = LakeClaims(self._lake.objects, self._presence, machine, self._look_again)
        return SharedClaims(mine, in_lake, self._is_paid, self._keeper.start)

    def _leave(self) -> None:
        """Free what this process claimed, unless others cannot see yet that it was bought."""
        if self._own:
            return
        try:
            self._presence.leave()
        except LakeError as error:
            logger.warning("other machines wait until this one's claims expire: %s", error)

    def _is_paid(self, key: CallKey) -> bool:
        return key in self._own or self._table.holds(key)

    def _look_again(self, older_than_s: float) -> None:
        """Look at the table; what a holder that is gone left in the lake's spool comes first."""
        if older_than_s > 0:
            self._table.look(older_than_s=older_than_s)
        else:
            self.recover()

    def _tend(self) -> None:
        """Keep up with other machines, and let them keep up with this one."""
        self.flush()
        self.refresh()

    def _lookup(self, key: CallKey) -> LedgerRow | None:
        with self._lock:
            found = self._find(key)
            if found is None:
                self._look_around()
                found = self._find(key)
            return found

    def _find(self, key: CallKey) -> LedgerRow | None:
        own, followed = self._own.get(key), self._tail.find(key)
        if own is not None:
            return LedgerRow.from_payload(self._store.read(own))
        if followed is not None:
            return LedgerRow.from_payload(self._disk.read(followed))
        return self._table.find(key)

    def _look_around(self) -> None:
        """Take in what other processes of this machine did."""
        is_gone = self._tail.advance(self._disk.owned)
        if is_gone or self._commits_size() != self._seen_commits:
            self.refresh()

    def _commits_size(self) -> int:
        try:
            return (self._folder / COMMITS_FILE).stat().st_size
        except FileNotFoundError:
            return 0

    def _commit_orphan(self, segment: Segment) -> Commit | None:
        try:
            return self._commit(segment)
        except BaseException:
            segment.let_go()
            raise

    def _commit(self, segment: Segment) -> Commit | None:
        """Commit one segment and delete it; null if it holds no whole line, or nothing more."""
        content = segment.read()
        payloads = () if content is None else content.payloads
        rows = [LedgerRow.from_payload(payload) for payload in payloads]
        commit = None
        if rows:
            digest = hashlib.sha256(b"\n".join(payloads)).hexdigest()
            commit = self._publish(f"spool-{digest[:32]}", digest[:FINGERPRINT_HEX_CHARS], rows)
        if content is None:
            self._table.look()
        elif content.damaged:
            logger.error("%s: lines are damaged; kept in %s", segment.name, segment.set_aside())
        for key, place in list(self._own.items()):  # a copy: the spool's thread adds to it
            if place.segment == segment.name:
                del self._own[key]
        segment.discard()
        return commit

    def _lacking(self, rows: Sequence[LedgerRow]) -> list[LedgerRow]:
        return [row for row in rows if self.lookup(*row.call_key) is None]

    def _publish(self, part: str, fingerprint: str, rows: list[LedgerRow]) -> Commit:
        commit = self._table.publish(part, fingerprint, rows)
        with (self._folder / COMMITS_FILE).open("a", encoding="ascii") as file:
            file.write(f"{part}\n")
        self._table.add(commit, rows)
        return commit


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:FINGERPRINT_HEX_CHARS]
