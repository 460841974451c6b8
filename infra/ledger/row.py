"""One paid call: the row of the ledger, in memory, as a spool payload and as a table row.

The spool carries the whole row, so that recovery needs nothing but the file.  Times travel as
whole microseconds since 1970 (UTC), which JSON keeps exactly.
"""

import dataclasses
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Self

import pyarrow as pa

from sightline.ids import canonical_json
from sightline.outcomes import Outcome
from sightline.schemas import LEDGER

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

CallKey = tuple[str, int]
"""(request_key, draw): what makes two calls the same call."""


@dataclass(frozen=True, slots=True)
class LedgerRow:
    """One paid call; the columns are those of `sightline.schemas.LEDGER`."""

    request_key: str
    draw: int
    endpoint_class: str
    teacher: str
    recipe: str
    step: str
    subject_id: str
    prompt_id: str
    request_json: str
    response_json: str
    outcome: Outcome
    finish_reason: str | None
    tokens_in: int | None
    tokens_out: int | None
    tokens_reasoning: int | None
    cost_usd: float | None
    latency_ms: float
    received_us: int
    channel: str | None = None
    endpoint: str | None = None

    @property
    def call_key(self) -> CallKey:
        """Return what makes two calls the same call."""
        return (self.request_key, self.draw)

    def to_payload(self) -> bytes:
        """Return the row as one line of JSON."""
        return canonical_json(dataclasses.asdict(self)).encode("utf-8", "surrogatepass")

    @classmethod
    def from_payload(cls, payload: bytes) -> Self:
        """Return the row a spool payload holds."""
        fields: dict[str, Any] = json.loads(payload.decode("utf-8", "surrogatepass"))
        return cls(**fields | {"outcome": Outcome(fields["outcome"])})

    @classmethod
    def from_columns(cls, row: Mapping[str, Any]) -> Self:
        """Return the row a ledger table row holds; provenance columns are ignored."""
        names = {field.name for field in dataclasses.fields(cls)}
        fields = {name: value for name, value in row.items() if name in names}
        received_us = (row["received_at"] - _EPOCH) // timedelta(microseconds=1)
        return cls(**fields | {"outcome": Outcome(row["outcome"]), "received_us": received_us})

    def to_columns(self) -> dict[str, Any]:
        """Return the row as the ledger table wants it."""
        fields = dataclasses.asdict(self)
        received_at = _EPOCH + timedelta(microseconds=fields.pop("received_us"))
        return fields | {"received_at": received_at}


def ledger_table(rows: Iterable[LedgerRow]) -> pa.Table:
    """Return rows as a payload table of the ledger."""
    return LEDGER.rows(row.to_columns() for row in rows)
