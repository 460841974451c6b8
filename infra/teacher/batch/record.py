"""What is kept of a batch and of each request in it: rows of `batches` and `batch_requests`.

The order of states is the safety of money.  `intended` is committed before anything is sent, so a
batch that exists at the endpoint is known to the lake; `uploaded` is committed before the one
request that buys, so from `intended` nothing can have been bought; `submitted` holds the
endpoint's id.  Whoever finds `uploaded` must ask the endpoint for the batch before anything else.
"""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any, Final, Self

from infra.ledger.row import CallKey
from infra.teacher.types import Request
from sightline.ids import content_id

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_CUSTOM_ID_CHARS: Final = 32
"""128 bits of the request key: unique within any batch, and within every endpoint's length."""


class BatchState(StrEnum):
    """Where a batch stands, as far as the lake knows."""

    INTENDED = "intended"
    UPLOADED = "uploaded"
    SUBMITTED = "submitted"
    COLLECTED = "collected"
    ABANDONED = "abandoned"


OPEN_STATES: Final = frozenset({BatchState.INTENDED, BatchState.UPLOADED, BatchState.SUBMITTED})


class BatchResult(StrEnum):
    """What came of one request of a batch that is over.

    answered: its response is in the ledger.
    rejected: the endpoint refuses this request (4xx); it would again.
    unanswered: it expired, was cancelled or met an error that may go away.
    """

    ANSWERED = "answered"
    REJECTED = "rejected"
    UNANSWERED = "unanswered"


@dataclass(frozen=True, slots=True)
class Batch:
    """One batch; the columns are those of `sightline.schemas.BATCHES`, times in microseconds."""

    batch_key: str
    state: BatchState
    endpoint: str
    teacher: str
    recipe: str
    step: str
    n_requests: int
    worst_case_usd: float
    intended_us: int
    changed_us: int
    provider_status: str | None = None
    provider_id: str | None = None
    input_file_id: str | None = None
    n_answered: int | None = None
    cost_usd: float | None = None
    detail: str | None = None

    @property
    def is_open(self) -> bool:
        """Return whether its requests may still be answered, so that nobody else buys them."""
        return self.state in OPEN_STATES

    def to_columns(self) -> dict[str, Any]:
        """Return the row as its table wants it."""
        values = asdict(self) | {"state": self.state.value}
        for name in ("intended", "changed"):
            values[f"{name}_at"] = _EPOCH + timedelta(microseconds=values.pop(f"{name}_us"))
        return values

    @classmethod
    def from_columns(cls, row: Mapping[str, Any]) -> Self:
        """Return the batch that a row holds; provenance columns are ignored."""
        values = {f.name: row[f.name] for f in fields(cls) if not f.name.endswith("_us")}
        times = {
            f"{name}_us": (row[f"{name}_at"] - _EPOCH) // timedelta(microseconds=1)
            for name in ("intended", "changed")
        }
        return cls(**values | times | {"state": BatchState(row["state"])})


@dataclass(frozen=True, slots=True)
class BatchRequest:
    """One request of a batch; the columns are those of `sightline.schemas.BATCH_REQUESTS`."""

    custom_id: str
    position: int
    request_key: str
    draw: int
    request_json: str
    prompt_id: str
    subject_id: str
    result: BatchResult | None = None
    detail: str | None = None

    @property
    def call_key(self) -> CallKey:
        """Return what makes two calls the same call."""
        return (self.request_key, self.draw)

    def to_columns(self, batch_key: str) -> dict[str, Any]:
        """Return the row as its table wants it."""
        result = self.result.value if self.result else None
        return asdict(self) | {"batch_key": batch_key, "result": result}

    @classmethod
    def from_columns(cls, row: Mapping[str, Any]) -> Self:
        """Return the request that a row holds."""
        values = {f.name: row[f.name] for f in fields(cls)}
        result = BatchResult(row["result"]) if row["result"] else None
        return cls(**values | {"result": result})


def batch_request(request: Request, position: int) -> BatchRequest:
    """Return what is kept of `request` at `position` of a file."""
    request_key, draw = request.call_key
    return BatchRequest(
        custom_id=custom_id_of((request_key, draw)),
        position=position,
        request_key=request_key,
        draw=draw,
        request_json=request.request_json,
        prompt_id=request.prompt_id,
        subject_id=request.subject_id,
    )


def custom_id_of(key: CallKey) -> str:
    """Return the name of a call within a batch."""
    return f"{key[0][:_CUSTOM_ID_CHARS]}-{key[1]}"


def batch_key_of(endpoint: str, sent_before: Iterable[tuple[CallKey, int]]) -> str:
    """Return the key of the batch that sends these calls.

    Args:
        endpoint: its address.
        sent_before: each call, in order, and how many batches held it before.
    """
    parts = [f"{key}/{draw}/{times}" for (key, draw), times in sent_before]
    return content_id("batch", endpoint, *parts)
