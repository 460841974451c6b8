"""The batches of a lake: one part of `batches` and one of `batch_requests` per batch.

A batch's parts are written again whenever its state changes, each time as a whole, so a reader on
any machine sees where every batch stands.  Requests are written before the batch itself: a batch
without requests would guard nothing, requests without a batch are nobody's.

What is open or failed is kept as 12 bytes per call and a few words per failed one, since a lake
may wait for millions of answers.
"""

import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from infra.lake.lake import Lake
from infra.ledger.index import LedgerIndex
from infra.ledger.row import CallKey
from infra.teacher.batch.record import Batch, BatchRequest, BatchResult, BatchState
from sightline.errors import UsageError
from sightline.provenance import Step, fingerprint_of
from sightline.schemas import BATCH_REQUESTS, BATCHES, Contract

STEP: Final = Step("batch", 1)
INDEX_ROWS: Final = 16_384


@dataclass(frozen=True, slots=True)
class PastTries:
    """What earlier batches made of calls that have no answer yet.

    Attributes:
        open: calls of open batches, by batch key.
        times: how many batches that are over held a call without answering it.
        rejected: why the endpoint refuses a call, by call.
        said: the last reason why a call has no answer, by call.
    """

    open: LedgerIndex
    times: Counter[CallKey]
    rejected: dict[CallKey, str]
    said: dict[CallKey, str]

    def batch_of(self, key: CallKey) -> str | None:
        """Return the open batch that holds a call, null if none does."""
        found = self.open.candidates(key)
        return found[0] if found else None


class BatchBook:
    """Reads and writes the batches of one lake; safe to share between threads."""

    def __init__(self, lake: Lake) -> None:
        self._lake = lake

    def batches(self) -> list[Batch]:
        """Return every batch, oldest first."""
        rows = self._lake.read(BATCHES).to_pylist()
        found = [Batch.from_columns(row) for row in rows]
        return sorted(found, key=lambda batch: (batch.intended_us, batch.batch_key))

    def open_batches(self) -> list[Batch]:
        """Return the batches that may still bring answers, oldest first."""
        return [batch for batch in self.batches() if batch.is_open]

    def batch(self, batch_key: str) -> Batch:
        """Return one batch, by its key or by a beginning of it that no other key has.

        Raises:
            UsageError: none or several match.
        """
        found = [b for b in self.batches() if b.batch_key.startswith(batch_key)]
        if len(found) != 1:
            known = [b.batch_key for b in found] or [b.batch_key for b in self.open_batches()]
            msg = f"expected the key of one batch, found {batch_key!r}; candidates are {known[:10]}"
            raise UsageError(msg)
        return found[0]

    def requests(self, batch_key: str) -> list[BatchRequest]:
        """Return the requests of a batch, in the order of its file."""
        rows = self._lake.read(BATCH_REQUESTS, parts=[batch_key]).to_pylist()
        return sorted(map(BatchRequest.from_columns, rows), key=lambda r: r.position)

    def put(self, batch: Batch, requests: Sequence[BatchRequest] | None = None) -> None:
        """Write a batch as it stands now, and its requests if they are new or changed."""
        if requests is not None:
            rows = [request.to_columns(batch.batch_key) for request in requests]
            self._write(BATCH_REQUESTS, batch.batch_key, rows, rows)
        self._write(BATCHES, batch.batch_key, [batch.to_columns()], asdict(batch))

    def move(
        self,
        batch: Batch,
        state: BatchState,
        requests: Sequence[BatchRequest] | None = None,
        **changes: Any,
    ) -> Batch:
        """Return the batch in another state, written; `changes` are further fields of it."""
        moved = replace(batch, state=state, changed_us=time.time_ns() // 1000, **changes)
        self.put(moved, requests)
        return moved

    def held(self) -> LedgerIndex:
        """Return the calls of open batches, by batch key."""
        index = LedgerIndex()
        for batch in self.open_batches():
            index.add(batch.batch_key, list(self._calls(batch.batch_key)))
        return index

    def past_tries(self) -> PastTries:
        """Return what is known of calls that were sent before and have no answer yet."""
        past = PastTries(self.held(), Counter(), {}, {})
        without_answer = pc.field("result") != BatchResult.ANSWERED.value
        columns = ["request_key", "draw", "result", "detail"]
        found = self._lake.read(BATCH_REQUESTS, columns=columns, where=without_answer)
        for row in found.to_pylist():
            key = (row["request_key"], row["draw"])
            past.times[key] += 1
            past.said[key] = row["detail"] or "no reason given"
            if row["result"] == BatchResult.REJECTED.value:
                past.rejected[key] = past.said[key]
        return past

    def _calls(self, batch_key: str) -> Iterator[CallKey]:
        columns = ["request_key", "draw"]
        for table in self._lake.scan(
            BATCH_REQUESTS, parts=[batch_key], columns=columns, batch_rows=INDEX_ROWS
        ):
            yield from zip(*(table[name].to_pylist() for name in columns), strict=True)

    def _write(
        self, contract: Contract, part: str, rows: Iterable[dict[str, object]], identity: object
    ) -> None:
        fingerprint = fingerprint_of(identity)
        table: pa.Table = contract.with_provenance(
            contract.rows(rows),
            part=part,
            run_id=STEP.run_id(part, fingerprint),
            fingerprint=fingerprint,
        )
        with self._lake.stage(contract, part, fingerprint) as writer:
            writer.write(table)
            staged = writer.finish()
        self._lake.publish(contract, [staged])
