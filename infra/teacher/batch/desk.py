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

from infra.lake.lake import Lake
from infra.ledger.ledger import Ledger
from infra.teacher.batch.allowance import Exposure, held_by, refusal
from infra.teacher.batch.book import BatchBook
from infra.teacher.batch.client import BatchClient, BatchEndpoint
from infra.teacher.batch.collector import Collector
from infra.teacher.batch.outbox import FileLimits, Outbox, RequestFile
from infra.teacher.batch.receiving import Received, Receiver
from infra.teacher.batch.record import Batch, BatchState
from infra.teacher.batch.sending import Payer, Sender, SendingError, sending
from infra.teacher.budget import Caps
from infra.teacher.prices import Prices
from infra.teacher.types import Request
from sightline.errors import BudgetError, UsageError

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
    """

    endpoints: Sequence[BatchEndpoint]
    limits: FileLimits = field(default_factory=FileLimits)
    caps: Caps = field(default_factory=Caps)
    patience_s: float = 30.0


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

    def __init__(self, lake: Lake, ledger: Ledger, prices: Prices, options: BatchOptions) -> None:
        self.book = BatchBook(lake)
        self._ledger, self._prices, self._options = ledger, prices, options
        self._clients = {client.address: client for client in map(BatchClient, options.endpoints)}
        self._spent = Exposure()

    def close(self) -> None:
        """Close connections."""
        for client in self._clients.values():
            client.close()

    def answered(self) -> Collector:
        """Return an asker for calls that must all be answered by now."""
        return Collector(self._ledger, self.book.past_tries(), None)

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
            past = self.book.past_tries()

            def send(file: RequestFile) -> None:
                sender = Sender(self.book, self._client_for(file.teacher))
                wave.sent.append(sender.send(file, payer, past))

            outbox = Outbox(Path(folder), self._url_of, self._options.limits, self._price, send)
            outbox.limit(self._options.caps, self._spent + held_by(self.book.open_batches()))
            wave = Wave(Collector(self._ledger, past, outbox.add))
            yield wave
            outbox.close()
            if outbox.postponed is not None:
                wave.capped_by.extend(self._holding_money(outbox.postponed))

    def receive(self) -> list[Received]:
        """Return what became of every open batch of these endpoints, its answers in the ledger.

        Raises:
            TeacherError: an endpoint does not answer.
            LakeError: the lake does not take the answers.
        """
        if any(batch.state is not BatchState.SUBMITTED for batch in self.book.open_batches()):
            with suppress(SendingError), sending(self._ledger):
                self._settle_left()
        received = [
            Receiver(self.book, self._ledger, self._prices, client).receive(batch)
            for batch in self.book.open_batches()
            if batch.state is BatchState.SUBMITTED and (client := self._clients.get(batch.endpoint))
        ]
        for found in received:
            if found.batch.state is BatchState.COLLECTED:
                self._spent += Exposure(found.batch.cost_usd or 0.0, found.batch.n_answered or 0)
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
        if batch.provider_id is not None:
            client.cancel(batch.provider_id)
            return batch
        with sending(self._ledger, self._options.patience_s):
            return Sender(self.book, client).settle(batch, grace_s=0.0)

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
                Sender(self.book, client).settle(batch)

    def _holding_money(self, next_call: Exposure) -> list[Batch]:
        """Return the open batches, whose settling may make room for the next call.

        Raises:
            BudgetError: there are none.
        """
        found = self.book.open_batches()
        if not found:
            raise BudgetError(refusal(self._options.caps, self._spent, next_call))
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
