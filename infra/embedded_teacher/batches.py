"""Works batches off: validates, answers one request after another, ends; goes on after a kill.

`batch_seconds` is spent a tenth on validating, eight tenths on the requests, evenly, and a tenth on
finalizing, so a client sees every status go by.  An answer is appended to the output before its
event is logged and before the counts move: what the log calls answered can be downloaded.
"""

import asyncio
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from infra.embedded_teacher.batch_lines import (
    CANCELLED,
    EXPIRED,
    BatchLimits,
    BatchRequest,
    answered_line,
    custom_ids,
    faults_of,
    requests_in,
    unanswered_line,
)
from infra.embedded_teacher.batch_state import Batch, BatchStore, Status
from infra.embedded_teacher.files import FileStore
from infra.embedded_teacher.misbehaviour import Misbehaviour
from infra.embedded_teacher.wire import Answer

EDGE_SHARE: Final = 0.1
"""Of the time a batch takes: for validating, and again for finalizing."""

OK: Final = 200
_TOLD_TO_FAIL: Final = {
    "code": "invalid_input",
    "line": None,
    "message": "The server was told to refuse every batch.",
    "param": None,
}

AnswerOne = Callable[[BatchRequest, str, Callable[[Answer], None]], None]
"""Answers a request of the batch with this id: hands the answer over, then logs it."""


@dataclass(frozen=True, slots=True)
class BatchDesk:
    """What running a batch needs."""

    batches: BatchStore
    files: FileStore
    trouble: Misbehaviour
    answer_one: AnswerOne


class BatchRunner:
    """Runs every open batch of a store, each as a task of the running loop."""

    def __init__(self, desk: BatchDesk) -> None:
        self._desk = desk
        self._runs: dict[str, _Run] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def resume(self) -> None:
        """Go on with the batches that an earlier server left open."""
        for batch in self._desk.batches.newest_first():
            if batch.is_open:
                self.start(batch)

    def start(self, batch: Batch) -> Batch:
        """Begin or go on with a batch."""
        run = self._runs[batch.id] = _Run(batch, self._desk)
        task = asyncio.create_task(run.run())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return batch

    def get(self, batch_id: str) -> Batch | None:
        """Return a batch as it stands now, null if there is none of this id."""
        run = self._runs.get(batch_id)
        return run.batch if run else self._desk.batches.get(batch_id)

    def newest_first(self) -> Iterator[Batch]:
        """Yield every batch as it stands now."""
        for stored in self._desk.batches.newest_first():
            run = self._runs.get(stored.id)
            yield run.batch if run else stored

    def cancel(self, batch: Batch) -> Batch:
        """Ask an open batch to end; it does so before its next request."""
        return self._runs[batch.id].cancel()


class _Run:
    """One batch from where it stands to its end; `batch` is its state, on disk at each status."""

    def __init__(self, batch: Batch, desk: BatchDesk) -> None:
        self.batch, self._desk = batch, desk
        self._input = desk.files.path(batch.input_file_id)
        self._output, self._errors = desk.batches.results(batch.id)
        self._is_cancelled = asyncio.Event()
        if batch.status is Status.CANCELLING:
            self._is_cancelled.set()

    def cancel(self) -> Batch:
        """Stop before the next request."""
        if self.batch.status is not Status.CANCELLING:
            self._is_cancelled.set()
            self._reach(Status.CANCELLING)
        return self.batch

    async def run(self) -> None:
        """Validate, answer what is not answered yet, end."""
        self._recount()
        if self.batch.status is Status.VALIDATING:
            await self._pause(EDGE_SHARE)
            self._validate()
        if self.batch.status is Status.IN_PROGRESS:
            await self._answer_all()
        if self.batch.status in {Status.IN_PROGRESS, Status.FINALIZING}:
            self._reach(Status.FINALIZING)
            await self._pause(EDGE_SHARE)
        if self.batch.is_open:
            self._end()

    def _validate(self) -> None:
        if self._is_cancelled.is_set():
            return
        trouble = self._desk.trouble
        limits = BatchLimits(trouble.batch_max_requests, trouble.batch_max_bytes)
        faults = faults_of(self._input, self.batch.endpoint, limits)
        if trouble.batch_fail_validation:
            faults = [_TOLD_TO_FAIL]
        if faults:
            self._reach(Status.FAILED)
            self._keep(replace(self.batch, errors=faults))
        else:
            self._keep(replace(self.batch, total=sum(1 for _ in requests_in(self._input))))
            self._reach(Status.IN_PROGRESS)

    async def _answer_all(self) -> None:
        """Answer the requests that no result is there for; those told to expire are left."""
        done = custom_ids(self._output) | custom_ids(self._errors)
        share = (1 - 2 * EDGE_SHARE) / max(1, self.batch.total)
        for request in requests_in(self._input):
            if request.custom_id in done:
                continue
            await self._pause(share)
            if self._is_cancelled.is_set():
                return
            if not self._expires(request):
                self._desk.answer_one(request, self.batch.id, self._keeping(request))

    def _recount(self) -> None:
        """Count the results that an earlier server left."""
        answered, failed = custom_ids(self._output), custom_ids(self._errors)
        self.batch = replace(self.batch, completed=len(answered), failed=len(failed))

    def _expires(self, request: BatchRequest) -> bool:
        where = (request.custom_id, self.batch.id)
        return self._desk.trouble.happens("batch_expire_share", *where)

    def _keeping(self, request: BatchRequest) -> Callable[[Answer], None]:
        """Return what appends the answer to `request` and counts it."""

        def keep(answer: Answer) -> None:
            number = self.batch.completed + self.batch.failed + 1
            line = answered_line(request.custom_id, number, answer.status, answer.body)
            self._append(line, is_success=answer.status == OK)

        return keep

    def _append(self, line: bytes, *, is_success: bool) -> None:
        with (self._output if is_success else self._errors).open("ab", buffering=0) as file:
            file.write(line)
        completed = self.batch.completed + is_success
        failed = self.batch.failed + (not is_success)
        self.batch = replace(self.batch, completed=completed, failed=failed)

    def _end(self) -> None:
        """Say of every request without an answer why it has none, and hand the results over.

        The results keep their names until the batch says where they are: a kill loses none.
        """
        was_cancelled = self.batch.status is Status.CANCELLING
        left = self._left_out(CANCELLED if was_cancelled else EXPIRED)
        self.batch = replace(
            self.batch,
            output_file_id=self._handed_over(self._output),
            error_file_id=self._handed_over(self._errors),
        )
        if was_cancelled:
            self._reach(Status.CANCELLED)
        else:
            self._reach(Status.EXPIRED if left else Status.COMPLETED)
        self._output.unlink(missing_ok=True)
        self._errors.unlink(missing_ok=True)

    def _handed_over(self, results: Path) -> str | None:
        """Return the id of the file that holds these results, null if there are none."""
        if not results.exists():
            return None
        return self._desk.files.adopt(results, results.name, "batch_output").id

    def _left_out(self, code: str) -> int:
        """Append an error for every request that has no result; return how many there were."""
        there = custom_ids(self._output) | custom_ids(self._errors)
        left = [r.custom_id for r in requests_in(self._input) if r.custom_id not in there]
        for custom_id in left if self.batch.total else ():
            number = self.batch.completed + self.batch.failed + 1
            self._append(unanswered_line(custom_id, number, code), is_success=False)
        return len(left)

    async def _pause(self, share: float) -> None:
        """Let a share of the batch's time pass, less if it is cancelled; let others run."""
        await asyncio.sleep(0)
        seconds = self._desk.trouble.batch_seconds * share
        if seconds > 0:
            try:
                await asyncio.wait_for(self._is_cancelled.wait(), seconds)
            except TimeoutError:
                return

    def _reach(self, status: Status) -> None:
        self._keep(self.batch.at(status, time.time()))

    def _keep(self, batch: Batch) -> None:
        self.batch = self._desk.batches.put(batch)
