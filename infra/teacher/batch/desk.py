"""Everything a run does with batches: send what is wanted, collect what is finished, cancel.

A wave walks chains with a `Collector` and sends what they want; the answers of finished batches let
the next wave go further.  Nothing is remembered between waves but the lake, so the next wave may
run days later on another machine.
"""

import logging
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from infra.ledger.ledger import Ledger
from infra.teacher.batch.allowance import Exposure, held_by, refusal, spent_on
from infra.teacher.batch.book import BatchBook, PastTries
from infra.teacher.batch.client import BatchClient, BatchEndpoint, UnreachableError
from infra.teacher.batch.collector import Collector
from infra.teacher.batch.outbox import FileLimits, Outbox, RequestFile
from infra.teacher.batch.receiving import Received, Receiver
from infra.teacher.batch.record import Batch, BatchState
from infra.teacher.batch.sending import GRACE_S, Payer, Sender, SendingError, sending
from infra.teacher.budget import Caps
from infra.teacher.prices import Prices
from infra.teacher.types import Request
from sightline.errors import BudgetError, TeacherError, UsageError

logger = logging.getLogger(__name__)

OVERHEAD_TOKENS: Final = 256
"""Worst case of what chat templates add around the text."""


@dataclass(frozen=True, slots=True)
class BatchOptions:
    """How batches are sent; none of it changes an answer.

    Attributes:
        endpoints: those with the batch protocol; the first that serves a model gets its calls.
        limits: of one file.
        caps: of this run; what other runs have open counts too.
        patience_s: how long to wait for somebody else who is sending.
        grace_s: how long a batch whose creation was never answered may take to show up.
    """

    endpoints: Sequence[BatchEndpoint]
    limits: FileLimits = field(default_factory=FileLimits)
    caps: Caps = field(default_factory=Caps)
    patience_s: float = 30.0
    grace_s: float = GRACE_S


@dataclass(frozen=True, slots=True)
class Wave:
    """One walk: who answers it, what it sent, and which batches hold the money for more."""

    collector: Collector
    sent: list[Batch] = field(default_factory=list)
    capped_by: list[Batch] = field(default_factory=list)

    @property
    def waits_for(self) -> frozenset[str]:
        """Return the open batches that hold what the walk lacked, or the money for it."""
        batches = (*self.sent, *self.capped_by)
        return self.collector.held_in | {batch.batch_key for batch in batches}


class BatchDesk:
    """The batches of one lake, for one run."""

    def __init__(self, ledger: Ledger, prices: Prices, options: BatchOptions) -> None:
        self.book = BatchBook(ledger.lake)
        self._ledger, self._prices, self._options = ledger, prices, options
        self._clients = {client.address: client for client in map(BatchClient, options.endpoints)}
        self._paid_here: set[str] = set()
        """Batches that were open at some time of this run, whoever collects them."""

    def close(self) -> None:
        """Close connections."""
        for client in self._clients.values():
            client.close()

    def answered(self) -> Collector:
        """Return an asker for calls that must all be answered by now."""
        return Collector(self._ledger, self._past_tries(), None)

    @contextmanager
    def wave(self, payer: Payer) -> Iterator[Wave]:
        """Give an asker, and send what it was asked in vain: full files at once, the rest last.

        Raises:
            TeacherError: somebody else is sending, or an endpoint refuses.
            BudgetError: nothing is open, and the next call would cross a cap.
        """
        with (
            sending(self._ledger, self._options.patience_s),
            tempfile.TemporaryDirectory(prefix="sightline-wave-") as folder,
        ):
            self._settle_left()
            past = self._past_tries()

            def send(file: RequestFile) -> None:
                batch = self._sender(self._client_for(file.teacher)).send(file, payer, past)
                self._paid_here.add(batch.batch_key)
                wave.sent.append(batch)

            outbox = Outbox(Path(folder), self._url_of, self._options.limits, self._price, send)
            outbox.limit(self._options.caps, self._spent() + held_by(self._open_batches()))
            wave = Wave(Collector(self._ledger, past, outbox.add))
            yield wave
            outbox.close()
            if outbox.postponed is not None:
                wave.capped_by.extend(self._holding_money(outbox.postponed))

    def receive(self) -> list[Received]:
        """Return what became of every open batch of these endpoints, its answers in the ledger.

        Raises:
            UnreachableError: an endpoint does not answer just now; other batches are collected.
            TeacherError: an endpoint answers with an error; as above.
            LakeError: the lake does not take the answers.
        """
        if any(batch.state is not BatchState.SUBMITTED for batch in self._open_batches()):
            with suppress(SendingError), sending(self._ledger):
                self._settle_left()
        received: list[Received] = []
        problems: list[TeacherError] = []
        for batch in self._open_batches():
            client = self._clients.get(batch.endpoint)
            if client is None or batch.state is not BatchState.SUBMITTED:
                continue
            try:
                receiver = Receiver(self.book, self._ledger, self._prices, client)
                received.append(receiver.receive(batch))
            except TeacherError as error:
                logger.warning("%s: not collected: %s", batch.batch_key, error)
                problems.append(error)
        if problems:
            lasting = [found for found in problems if not isinstance(found, UnreachableError)]
            raise (lasting or problems)[0]
        return received

    def cancel(self, batch_key: str) -> Batch:
        """Return a batch whose end was asked for; what it has answered is collected as ever.

        Raises:
            UsageError: no open batch has this key, or it is at an endpoint of other settings.
            TeacherError: the endpoint does not answer.
        """
        batch = _open(self.book.batch(batch_key))
        client = self._clients.get(batch.endpoint)
        if client is None:
            msg = (
                f"{batch.batch_key} is at {batch.endpoint}; the settings name {list(self._clients)}"
                ": set SIGHTLINE_TEACHER_BASE_URL to its address, or give it up with --forget"
            )
            raise UsageError(msg)
        if batch.provider_id is None:
            with sending(self._ledger, self._options.patience_s):
                batch = self._sender(client, grace_s=0.0).settle(batch)
        if batch.provider_id is not None:
            client.cancel(batch.provider_id)
        return batch

    def forget(self, batch_key: str) -> Batch:
        """Return an open batch given up without asking its endpoint, which may still bill it.

        Raises:
            UsageError: no open batch has this key.
        """
        batch = _open(self.book.batch(batch_key))
        return self.book.move(batch, BatchState.ABANDONED, detail="given up by hand")

    def strangers(self) -> list[Batch]:
        """Return the open batches at endpoints that this run does not know."""
        return [b for b in self.book.open_batches() if b.endpoint not in self._clients]

    def _settle_left(self) -> None:
        for batch in self.book.open_batches():
            client = self._clients.get(batch.endpoint)
            if client is not None and batch.state is not BatchState.SUBMITTED:
                self._sender(client).settle(batch)

    def _sender(self, client: BatchClient, grace_s: float | None = None) -> Sender:
        grace_s = self._options.grace_s if grace_s is None else grace_s
        return Sender(self.book, client, self._ledger.claims, grace_s)

    def _past_tries(self) -> PastTries:
        """Return what was tried; what is no longer open then, is in the ledger as seen here."""
        past = self.book.past_tries()
        self._ledger.refresh()
        return past

    def _open_batches(self) -> list[Batch]:
        found = self.book.open_batches()
        self._paid_here.update(batch.batch_key for batch in found)
        return found

    def _spent(self) -> Exposure:
        """Return what this run has paid for, also where another process collected it."""
        batches = self.book.batches()
        return spent_on(batch for batch in batches if batch.batch_key in self._paid_here)

    def _holding_money(self, next_call: Exposure) -> list[Batch]:
        """Return the open batches, whose settling may make room for the next call.

        Raises:
            BudgetError: there are none.
        """
        found = self._open_batches()
        if not found:
            raise BudgetError(refusal(self._options.caps, self._spent(), next_call))
        return found

    def _client_for(self, teacher: str) -> BatchClient:
        for endpoint, client in zip(self._options.endpoints, self._clients.values(), strict=True):
            if endpoint.serves(teacher):
                return client
        known = list(self._clients) or "none"
        msg = f"expected an endpoint with batches that serves {teacher!r}; with batches are {known}"
        raise UsageError(msg)

    def _url_of(self, teacher: str) -> str:
        return self._client_for(teacher).url

    def _price(self, request: Request) -> float:
        """Return the most a call can cost in a batch; 0 without a price where no cap needs it."""
        has_cap = self._options.caps.usd is not None
        model = request.model
        price = self._prices.require(model) if has_cap else self._prices.find(model)
        if price is None:
            return 0.0
        text_tokens = request.text_bytes + OVERHEAD_TOKENS
        images = sum(1 for _ in request.images)
        return price.in_batch().worst_case_usd(text_tokens, images, request.max_tokens)


def _open(batch: Batch) -> Batch:
    if not batch.is_open:
        msg = f"expected an open batch, found {batch.batch_key}, which is {batch.state}"
        raise UsageError(msg)
    return batch
