"""From a file of requests to a batch at the endpoint, so that a kill at any point pays once.

Only `create` buys, and the lake knows of the batch before (`uploaded`).  Whoever finds such a batch
asks the endpoint for it: by the id of its input file, or by our key in its metadata.  If it is not
there, it may still be on its way, so it is given up only after `GRACE_S`, and only once its input
file is deleted, without which nothing that is still on its way can be created.

One process of a lake sends at a time (`sending`): two that walk the same chains at once would send
the same calls in different files.  A machine that slept through its claim may have been replaced,
so who buys makes sure of the claim first, and writes nothing if it is not sure.
"""

import asyncio
import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

from infra.ledger.claims import Claims
from infra.ledger.ledger import Ledger
from infra.ledger.row import CallKey
from infra.teacher.batch.book import BatchBook, PastTries
from infra.teacher.batch.client import BatchClient, UnsureError
from infra.teacher.batch.outbox import RequestFile
from infra.teacher.batch.protocol import RemoteBatch
from infra.teacher.batch.record import Batch, BatchState, batch_key_of
from sightline.errors import TeacherError

logger = logging.getLogger(__name__)

GRACE_S: Final = 900.0
"""How long a batch whose creation was never answered may take to show up in the endpoint's list."""
CLAIM_POLL_S: Final = 0.1
SENDING: Final[CallKey] = (sha256(b"sightline: who sends batches").hexdigest(), 0)
"""A claim of the ledger that stands for no call."""


@dataclass(frozen=True, slots=True)
class Payer:
    """Who pays for a batch, for the ledger; `step` where a request names none."""

    recipe: str
    step: str


class SendingError(TeacherError):
    """Another process is, or may be, sending batches to this lake."""


@contextmanager
def sending(ledger: Ledger, patience_s: float = 0.0) -> Iterator[None]:
    """Be the only one who sends batches to this lake.

    Args:
        ledger: of the lake.
        patience_s: how long to try; where machines share a lake, a claim that was just let go is
            free only after some moments.

    Raises:
        SendingError: somebody else is sending.
    """
    if not asyncio.run(_is_ours(ledger, time.monotonic() + patience_s)):
        msg = "another process is sending batches to this lake; run again when it is done"
        raise SendingError(msg)
    try:
        yield
    finally:
        ledger.claims.release(SENDING)


async def _is_ours(ledger: Ledger, deadline: float) -> bool:
    while not await ledger.claims.acquire(SENDING):
        if time.monotonic() > deadline:
            return False
        await asyncio.sleep(CLAIM_POLL_S)
    return True


class Sender:
    """Makes batches of one endpoint; use it within `sending`."""

    def __init__(
        self, book: BatchBook, client: BatchClient, claims: Claims, grace_s: float = GRACE_S
    ) -> None:
        """Send to one endpoint.

        Args:
            book: of the lake.
            client: of the endpoint.
            claims: with which `sending` was claimed.
            grace_s: how long a batch may take to show up in the endpoint's list.
        """
        self._book, self._client = book, client
        self._claims, self._grace_s = claims, grace_s

    def send(self, file: RequestFile, payer: Payer, past: PastTries) -> Batch:
        """Return the batch that sends a file.

        Raises:
            UnsureError: it may have been bought; `settle` finds out.
            SendingError: somebody else may be sending by now; nothing was bought.
            TeacherError: the endpoint refuses; nothing was bought.
        """
        now_us = time.time_ns() // 1000
        sent_before = [(r.call_key, past.times[r.call_key]) for r in file.requests]
        batch = Batch(
            batch_key=batch_key_of(self._client.address, sent_before),
            state=BatchState.INTENDED,
            endpoint=self._client.address,
            teacher=file.teacher,
            recipe=payer.recipe,
            step=file.step or payer.step,
            n_requests=len(file.requests),
            worst_case_usd=file.worst_case_usd,
            intended_us=now_us,
            changed_us=now_us,
        )
        self._book.put(batch, file.requests)
        try:
            file_id = self._client.upload(file.path, f"{batch.batch_key}.jsonl")
            self._make_sure()
            batch = self._book.move(batch, BatchState.UPLOADED, input_file_id=file_id)
            self._make_sure()
            remote = self._client.create(file_id, batch.batch_key)
        except (UnsureError, SendingError):
            raise
        except TeacherError as error:
            self._abandon(batch, str(error))
            raise
        logger.info("%s: %d requests sent as %s", batch.batch_key, batch.n_requests, remote.id)
        return self._submitted(batch, remote)

    def settle(self, batch: Batch) -> Batch:
        """Return a batch that a killed or cut-off sender left, as it stands now.

        Args:
            batch: one that is `intended` or `uploaded`.

        Raises:
            TeacherError: the endpoint does not answer.
        """
        if batch.state is BatchState.INTENDED:
            return self._abandon(batch, "its requests were never sent")
        remote = self._found(batch)
        if remote is None and time.time_ns() // 1000 - batch.changed_us < self._grace_s * 1e6:
            return batch
        if remote is None and batch.input_file_id is not None:
            self._client.forget_file(batch.input_file_id)
            remote = self._found(batch)
        if remote is None:
            return self._abandon(batch, "the endpoint does not know it")
        logger.info("%s: found at the endpoint as %s", batch.batch_key, remote.id)
        return self._submitted(batch, remote)

    def _found(self, batch: Batch) -> RemoteBatch | None:
        return self._client.find(batch.batch_key, batch.input_file_id)

    def _make_sure(self) -> None:
        if not self._claims.are_sure:
            msg = "this machine was out of touch with the lake for too long; run again"
            raise SendingError(msg)

    def _abandon(self, batch: Batch, detail: str) -> Batch:
        """Return the batch given up; its file, which holds every image, is removed."""
        if batch.input_file_id is not None:
            self._client.forget_file(batch.input_file_id)
        return self._book.move(batch, BatchState.ABANDONED, detail=detail)

    def _submitted(self, batch: Batch, remote: RemoteBatch) -> Batch:
        return self._book.move(
            batch, BatchState.SUBMITTED, provider_id=remote.id, provider_status=remote.status
        )
