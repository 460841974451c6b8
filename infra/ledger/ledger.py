"""The ledger of one lake: every paid call, so that nothing received is lost or bought again.

A response is first a line in a spool segment (durable, `infra/ledger/spool.py`), later a row of the
`ledger` table; `lookup` finds it in either.  The rules that make kill -9 harmless:

* a part of the table is named after the content of its segment, so committing a segment twice is
  committing the same part with the same fingerprint, which the lake refuses;
* a segment is deleted only after its commit, and adopted only when its owner is dead;
* whoever commits writes the part's name to `commits.log` first, so that other processes of the
  machine look at the table again when a segment they followed is gone.

Memory: 12 bytes per committed row, about 400 bytes per row not yet committed, and at most 128 MB
of responses read back.  ADR 0006 has the reasons and the one gap: two *machines* that ask for the
same call at the same instant both pay.
"""

import hashlib
import logging
import os
import threading
from collections.abc import Sequence
from concurrent.futures import Future
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from infra.lake.lake import Lake
from infra.ledger.cache import LedgerCache
from infra.ledger.claims import Claims
from infra.ledger.index import LedgerIndex
from infra.ledger.row import CallKey, LedgerRow, ledger_table
from infra.ledger.spool import (
    Location,
    Segment,
    Spool,
    adopt,
    read_payload,
    read_segment,
    segments,
)
from infra.ledger.tail import SpoolTail
from sightline.errors import LakeError
from sightline.provenance import FINGERPRINT_HEX_CHARS, Commit, Step
from sightline.schemas import LEDGER

logger = logging.getLogger(__name__)

STEP: Final = Step("ledger", 1)
COMMITS_FILE = "commits.log"
DAMAGED_SUFFIX = ".damaged"
INDEX_ROWS = 16_384
_LOOKS = 3
"""A row can move from segment to table between finding and reading it; once more finds it."""


def spool_folder(root: Path, lake_uri: str) -> Path:
    """Return the spool folder of a lake under `root`: segments of two lakes never mix."""
    return root / hashlib.sha256(lake_uri.encode()).hexdigest()[:16]


class Ledger:
    """Paid calls of one lake; share one per process, all methods may be called from any thread."""

    def __init__(self, lake: Lake, spool_dir: Path) -> None:
        self._lake = lake
        self._folder = spool_folder(spool_dir, lake.uri)
        self._spool = Spool(self._folder)
        self.claims = Claims(self._folder)
        self._lock = threading.RLock()
        self._flush_lock = threading.Lock()
        self._own: dict[CallKey, Location] = {}
        self._tail = SpoolTail(self._folder)
        self._index = LedgerIndex()
        self._rows_of: dict[str, int] = {}
        self._cache = LedgerCache(lake)
        self._seen_commits = -1

    @property
    def folder(self) -> Path:
        """Return where this lake's segments lie on this machine."""
        return self._folder

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
        """Commit the segments that dead processes left behind; call once before asking."""
        with self._flush_lock:
            commits = [
                commit
                for path in segments(self._folder)
                if (orphan := self._adopt(path)) and (commit := self._commit_orphan(orphan))
            ]
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
        a call that the ledger holds already is left out.

        Raises:
            LakeError: the lake refuses.
        """
        fingerprint = hashlib.sha256(part.encode()).hexdigest()[:FINGERPRINT_HEX_CHARS]
        if self._lake.is_done(LEDGER, part, fingerprint):
            self.refresh()
            return Commit(LEDGER.name, part, fingerprint, 0, reused=True)
        fresh = [row for row in rows if self.lookup(*row.call_key) is None]
        commit = self._publish(part, fingerprint, fresh)
        self._note_commit(part)
        self.refresh()
        return commit

    def refresh(self) -> None:
        """Index the parts that were committed since the last look, by whomever."""
        with self._lock:
            self._seen_commits = self._commits_size()
            fresh = [p.part for p in self._lake.parts(LEDGER) if not self._index.knows(p.part)]
            if fresh:
                self._index_parts(fresh)
            self._tail.forget_gone()

    def close(self) -> None:
        """Stop writing; what is not flushed stays in its segment and is recovered later."""
        self._spool.close()
        self.claims.close()

    def _lookup(self, key: CallKey) -> LedgerRow | None:
        with self._lock:
            found = self._find(key)
            if found is None and self._look_around():
                found = self._find(key)
            return found

    def _find(self, key: CallKey) -> LedgerRow | None:
        place = self._own.get(key) or self._tail.find(key)
        if place is not None:
            return LedgerRow.from_payload(read_payload(place))
        for part in self._index.candidates(key):
            row = self._cache.find(part, self._rows_of[part], key)
            if row is not None:
                return row
        return None

    def _look_around(self) -> bool:
        """Take in what other processes of this machine did; return whether to look again."""
        is_gone = self._tail.advance(self._spool.owned)
        if is_gone or self._commits_size() != self._seen_commits:
            self.refresh()
        return True

    def _commits_size(self) -> int:
        try:
            return (self._folder / COMMITS_FILE).stat().st_size
        except FileNotFoundError:
            return 0

    def _adopt(self, path: Path) -> Segment | None:
        return None if self._spool.owns(path) else adopt(path)

    def _commit_orphan(self, segment: Segment) -> Commit | None:
        try:
            return self._commit(segment)
        except BaseException:
            os.close(segment.fd)
            raise

    def _commit(self, segment: Segment) -> Commit | None:
        """Commit one segment and delete it; null if it holds no whole line."""
        content = read_segment(segment.path)
        rows = [LedgerRow.from_payload(payload) for payload in content.payloads]
        commit = None
        if rows:
            digest = hashlib.sha256(b"\n".join(content.payloads)).hexdigest()
            commit = self._publish(f"spool-{digest[:32]}", digest[:FINGERPRINT_HEX_CHARS], rows)
            self._note_commit(commit.part)
        if content.damaged:
            logger.error("%s: lines are damaged; kept as *%s", segment.path, DAMAGED_SUFFIX)
            segment.path.with_suffix(DAMAGED_SUFFIX).write_bytes(segment.path.read_bytes())
        with self._lock:
            if commit is not None:
                self._rows_of[commit.part] = len(rows)
                self._index.add(commit.part, [row.call_key for row in rows])
            for row in rows:
                place = self._own.get(row.call_key)
                if place is not None and place.path == segment.path:
                    del self._own[row.call_key]
            segment.discard()
        return commit

    def _publish(self, part: str, fingerprint: str, rows: list[LedgerRow]) -> Commit:
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

    def _note_commit(self, part: str) -> None:
        with (self._folder / COMMITS_FILE).open("a", encoding="ascii") as file:
            file.write(f"{part}\n")

    def _index_parts(self, parts: list[str]) -> None:
        keys_of: dict[str, list[CallKey]] = {part: [] for part in parts}
        columns = ["part", "request_key", "draw"]
        for table in self._lake.scan(LEDGER, parts=parts, columns=columns, batch_rows=INDEX_ROWS):
            rows = (table[name].to_pylist() for name in columns)
            for part, request_key, draw in zip(*rows, strict=True):
                keys_of[part].append((request_key, draw))
        for part, keys in keys_of.items():
            self._rows_of[part] = len(keys)
            self._index.add(part, keys)
