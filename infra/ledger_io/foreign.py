"""Calls that were paid elsewhere, as rows of the ledger.

A row gets the key that this client's own request would have, so that a recipe which asks the same
finds it.  Equal requests of one import are draws of it, numbered as they come.  Nothing here reads
a clock: the same files always give the same rows.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Final

from infra.ledger.row import LedgerRow
from infra.teacher.prices import Price, Prices
from infra.teacher.reply import completion_in
from infra.teacher.types import ENDPOINT_CLASS, Request

CHANNEL: Final = "import"
IMPORT: Final = "import"
"""Recipe, step and prompt of a call that no recipe here bought."""


@dataclass(frozen=True, slots=True)
class PaidCall:
    """One request and what an endpoint answered.

    Attributes:
        request: as this client would ask it.
        status: HTTP status of the answer.
        body: of the answer.
        received_us: when, in microseconds since 1970.
        latency_ms: how long it took; 0 where nobody noted it.
        cost_usd: as noted there; null to look it up in the price table.
        is_batch: whether it was answered at the price of a batch.
    """

    request: Request
    status: int
    body: str
    received_us: int
    latency_ms: float = 0.0
    cost_usd: float | None = None
    is_batch: bool = False


@dataclass(frozen=True, slots=True)
class LeftOut:
    """One entry of a file that gives no row, and why."""

    entry: str
    reason: str


def rows_of(
    found: Iterable[PaidCall | LeftOut], prices: Prices, teacher: str | None = None
) -> Iterator[LedgerRow | LeftOut]:
    """Yield a row for each paid call that was answered.

    Args:
        found: what a file holds.
        prices: of the models.
        teacher: name of the model in the rows instead of the one that was asked for; it is
            identity, so give the name that recipes use.
    """
    draws: Counter[str] = Counter()
    for call in found:
        if isinstance(call, LeftOut):
            yield call
            continue
        request = replace(call.request, model=teacher or call.request.model)
        row = _row(replace(call, request=request), prices.find(request.model))
        if isinstance(row, LedgerRow):
            row = replace(row, draw=draws[row.request_key])
            draws[row.request_key] += 1
        yield row


def _row(call: PaidCall, price: Price | None) -> LedgerRow | LeftOut:
    request = call.request
    reply = completion_in(call.status, call.body)
    if reply is None:
        return LeftOut(request.subject_id, f"the answer (HTTP {call.status}) is no completion")
    if price is not None and call.is_batch:
        price = price.in_batch()
    cost_usd = price.cost_usd(reply.usage) if call.cost_usd is None and price else call.cost_usd
    text = request.request_json
    return LedgerRow(
        request_key=request.key_of(text),
        draw=0,
        endpoint_class=ENDPOINT_CLASS,
        teacher=request.model,
        recipe=IMPORT,
        step=IMPORT,
        subject_id=request.subject_id,
        prompt_id=request.prompt_id,
        request_json=text,
        response_json=call.body,
        outcome=reply.outcome,
        finish_reason=reply.finish_reason,
        tokens_in=reply.usage.tokens_in,
        tokens_out=reply.usage.tokens_out,
        tokens_reasoning=reply.usage.tokens_reasoning,
        cost_usd=cost_usd,
        latency_ms=call.latency_ms,
        received_us=call.received_us,
        channel=CHANNEL,
    )
