"""From a finished batch to the ledger: every answer once, however often it is collected.

The answers go to parts of the ledger that are named after the batch, cut in the order of the
endpoint's file; that file never changes, so two machines that collect at once commit the same
parts, and the lake takes each only once.  Only then does the batch count as collected: a kill in
between costs a second download.

Whatever ended the batch (completed, expired, cancelled), the answers that exist were paid for and
are kept.  A batch whose input was refused holds none; lines that the endpoint names are rejected.
"""

import logging
import math
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Final

from infra.ledger.ledger import Ledger
from infra.ledger.row import LedgerRow
from infra.teacher.batch.book import BatchBook
from infra.teacher.batch.client import BatchClient, UnreachableError
from infra.teacher.batch.protocol import HTTP_OK, BatchAnswer, RemoteBatch, read_answer
from infra.teacher.batch.record import Batch, BatchRequest, BatchResult, BatchState
from infra.teacher.prices import Prices
from infra.teacher.reply import Reply, completion_in
from infra.teacher.retry import FATAL_STATUS, may_retry
from infra.teacher.types import ENDPOINT_CLASS
from sightline.errors import clip_detail

logger = logging.getLogger(__name__)

CHANNEL: Final = "batch"
ROWS_PER_PART: Final = 4_096
"""The ledger keeps parts of up to 20,000 rows in memory whole; answers are some kilobytes each."""


@dataclass(frozen=True, slots=True)
class Received:
    """What was learned of a batch.

    Attributes:
        batch: as it stands now.
        completed: requests answered so far.
        is_refused: the endpoint took none of it, for a reason that is true of it as a whole.
    """

    batch: Batch
    completed: int
    is_refused: bool = False


@dataclass(frozen=True, slots=True)
class _Result:
    """What became of one request; the row of its answer, if it has one."""

    result: BatchResult
    detail: str | None = None
    row: LedgerRow | None = None


class Receiver:
    """Collects batches of one endpoint."""

    def __init__(
        self, book: BatchBook, ledger: Ledger, prices: Prices, client: BatchClient
    ) -> None:
        self._book, self._ledger, self._prices, self._client = book, ledger, prices, client

    def receive(self, batch: Batch) -> Received:
        """Return what became of a submitted batch; its answers, if it is over, are in the ledger.

        Raises:
            TeacherError: the endpoint does not answer.
            LakeError: the lake does not take the answers.
        """
        remote = self._client.retrieve(batch.provider_id or "")
        if not remote.is_final:
            if remote.status != batch.provider_status:
                status = remote.status
                batch = self._book.move(batch, batch.state, provider_status=status)
            return Received(batch, remote.completed)
        if remote.status == "failed" and not remote.output_file_id:
            received = self._refused(batch, remote)
            self._tidy(batch)
            return received
        return self._collected(batch, remote)

    def _collected(self, batch: Batch, remote: RemoteBatch) -> Received:
        requests = {r.custom_id: r for r in self._book.requests(batch.batch_key)}
        results: dict[str, _Result] = {}
        costs: list[float | None] = []
        n_lines = 0
        for number, answers in enumerate(_grouped(self._answers(remote))):
            found = {
                answer.custom_id: self._result(batch, remote, requests[answer.custom_id], answer)
                for answer in answers
                if answer.custom_id in requests
            }
            rows = [result.row for result in found.values() if result.row is not None]
            if rows:
                self._ledger.commit_part(f"{batch.batch_key}.{number:04d}", rows)
            n_lines += len(answers)
            costs += [row.cost_usd for row in rows]
            results |= {name: replace(result, row=None) for name, result in found.items()}
        if n_lines < remote.completed:  # what is there is kept; the rest is paid, so not lost
            msg = (
                f"expected {remote.completed} answers of {batch.batch_key} from "
                f"{self._client.address}, found {n_lines} lines in its files: collect again"
            )
            raise UnreachableError(msg)
        batch = self._book.move(
            batch,
            BatchState.COLLECTED,
            [_told(request, results, remote.status) for request in requests.values()],
            provider_status=remote.status,
            n_answered=len(costs),
            cost_usd=_total(costs),
        )
        logger.info("%s: %s, %d answers", batch.batch_key, remote.status, len(costs))
        self._tidy(batch)
        return Received(batch, len(costs))

    def _refused(self, batch: Batch, remote: RemoteBatch) -> Received:
        """Close a batch whose input the endpoint refuses; only lines it names are to blame."""
        said = "; ".join(f"{fault.code}: {fault.message}" for fault in remote.faults[:3])
        closed = replace(
            batch,
            provider_status=remote.status,
            n_answered=0,
            cost_usd=0.0,
            detail=clip_detail(said or "no reason given"),
        )
        of_line = {fault.line: f"{fault.code}: {fault.message}" for fault in remote.faults}
        named = [line for line in of_line if line is not None]
        if not named:
            return Received(self._book.move(closed, BatchState.ABANDONED), 0, is_refused=True)
        told = [
            replace(
                request,
                result=BatchResult.REJECTED if (line := position + 1) in of_line
                else BatchResult.UNANSWERED,
                detail=clip_detail(of_line.get(line, "another line of its file was refused")),
            )
            for position, request in enumerate(self._book.requests(batch.batch_key))
        ]  # fmt: skip
        return Received(self._book.move(closed, BatchState.COLLECTED, told), 0)

    def _answers(self, remote: RemoteBatch) -> Iterator[BatchAnswer]:
        """Yield every line of the output file, then of the error file."""
        with tempfile.TemporaryDirectory(prefix="sightline-batch-") as folder:
            path = Path(folder) / "answers.jsonl"
            for file_id in (remote.output_file_id, remote.error_file_id):
                if file_id is None:
                    continue
                self._client.download(file_id, path)
                with path.open("rb") as lines:
                    yield from (a for line in lines if (a := read_answer(line)) is not None)

    def _result(
        self, batch: Batch, remote: RemoteBatch, request: BatchRequest, answer: BatchAnswer
    ) -> _Result:
        reply = None if answer.status is None else completion_in(answer.status, answer.body)
        if reply is not None:
            row = self._row(batch, remote, request, answer.body, reply)
            return _Result(BatchResult.ANSWERED, row=row)
        said = answer.reason or "no completion in the answer"
        if answer.status is None:
            return _Result(BatchResult.UNANSWERED, said)
        said = f"HTTP {answer.status}: {said}"
        may_succeed = (
            answer.status == HTTP_OK
            or answer.status in FATAL_STATUS
            or may_retry(answer.status)
        )  # fmt: skip
        return _Result(BatchResult.UNANSWERED if may_succeed else BatchResult.REJECTED, said)

    def _row(
        self, batch: Batch, remote: RemoteBatch, request: BatchRequest, body: str, reply: Reply
    ) -> LedgerRow:
        price = self._prices.find(batch.teacher)
        ended_s = remote.ended_s or time.time()
        return LedgerRow(
            request_key=request.request_key,
            draw=request.draw,
            endpoint_class=ENDPOINT_CLASS,
            teacher=batch.teacher,
            recipe=batch.recipe,
            step=batch.step,
            subject_id=request.subject_id,
            prompt_id=request.prompt_id,
            request_json=request.request_json,
            response_json=body,
            outcome=reply.outcome,
            finish_reason=reply.finish_reason,
            tokens_in=reply.usage.tokens_in,
            tokens_out=reply.usage.tokens_out,
            tokens_reasoning=reply.usage.tokens_reasoning,
            cost_usd=price.in_batch().cost_usd(reply.usage) if price else None,
            latency_ms=1000.0 * max(0.0, ended_s - (remote.created_s or ended_s)),
            received_us=int(ended_s * 1e6),
            channel=CHANNEL,
            endpoint=batch.endpoint,
        )

    def _tidy(self, batch: Batch) -> None:
        """Remove the uploaded requests, which hold every image; it may as well fail."""
        if batch.input_file_id is not None:
            self._client.forget_file(batch.input_file_id)


def _grouped(answers: Iterator[BatchAnswer]) -> Iterator[list[BatchAnswer]]:
    while group := list(islice(answers, ROWS_PER_PART)):
        yield group


def _told(request: BatchRequest, results: Mapping[str, _Result], status: str) -> BatchRequest:
    found = results.get(request.custom_id)
    if found is None:
        found = _Result(BatchResult.UNANSWERED, f"the {status} batch has no line for it")
    detail = None if found.detail is None else clip_detail(found.detail)
    return replace(request, result=found.result, detail=detail)


def _total(costs: Sequence[float | None]) -> float | None:
    known = [cost for cost in costs if cost is not None]
    return math.fsum(known) if len(known) == len(costs) else None
