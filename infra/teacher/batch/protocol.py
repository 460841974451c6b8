"""The batch protocol of OpenAI-compatible endpoints as values: objects, request lines, answers.

Everything that is read here was written by somebody else, so reading is total: what has no use is
left out, never guessed.  A line of the output file holds a whole response body, which is what the
ledger stores; a line of the error file holds either such a body, with a status other than 200, or
the reason why the request was never executed (`batch_expired`, `batch_cancelled`).
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

FINAL_STATUSES: Final = frozenset({"completed", "failed", "expired", "cancelled"})
"""Nothing is added to a batch's files after one of these."""
HTTP_OK: Final = 200


@dataclass(frozen=True, slots=True)
class BatchFault:
    """Why an endpoint refuses a batch; `line` counts from 1, null if it is no single line."""

    code: str
    line: int | None
    message: str


@dataclass(frozen=True, slots=True)
class RemoteBatch:
    """A batch as its endpoint describes it.

    Attributes:
        id: the endpoint's name for it.
        status: in lower case; see `FINAL_STATUSES`.
        tag: the `sightline` entry of its metadata, null if the endpoint keeps none.
        completed: how many of its requests are answered with 200.
        created_s: seconds since 1970.
        ended_s: when it reached its final status; null before.
    """

    id: str
    status: str
    input_file_id: str | None
    output_file_id: str | None = None
    error_file_id: str | None = None
    tag: str | None = None
    completed: int = 0
    created_s: float | None = None
    ended_s: float | None = None
    faults: tuple[BatchFault, ...] = ()

    @property
    def is_final(self) -> bool:
        """Return whether its files are complete."""
        return self.status in FINAL_STATUSES


@dataclass(frozen=True, slots=True)
class BatchAnswer:
    """One line of an output or error file.

    Attributes:
        custom_id: which request.
        status: HTTP status of the response; null if the request was never executed.
        body: the response body as JSON text; empty if there is none.
        reason: code and message of the error, empty if there is none.
    """

    custom_id: str
    status: int | None
    body: str
    reason: str


def request_line(custom_id: str, url: str, body: bytes) -> bytes:
    """Return the line that sends `body`, which is JSON, to `url` within a batch."""
    head = json.dumps({"custom_id": custom_id, "method": "POST", "url": url})
    return head[:-1].encode() + b', "body": ' + body + b"}\n"


def read_batch(raw: Any, tag_name: str) -> RemoteBatch | None:
    """Return the batch in an endpoint's JSON value, null if it is no batch object."""
    fields = _object(raw)
    batch_id, status = fields.get("id"), fields.get("status")
    if not isinstance(batch_id, str) or not isinstance(status, str):
        return None
    counts = _object(fields.get("request_counts"))
    status = status.lower()
    return RemoteBatch(
        id=batch_id,
        status=status,
        input_file_id=_text(fields.get("input_file_id")),
        output_file_id=_text(fields.get("output_file_id")),
        error_file_id=_text(fields.get("error_file_id")),
        tag=_text(_object(fields.get("metadata")).get(tag_name)),
        completed=_count(counts.get("completed")),
        created_s=_number(fields.get("created_at")),
        ended_s=_number(fields.get(f"{status}_at")) if status in FINAL_STATUSES else None,
        faults=_faults(fields.get("errors")),
    )


def read_answer(line: bytes) -> BatchAnswer | None:
    """Return what a line of an output or error file says, null if it names no request."""
    entry = _object(_parse(line))
    custom_id = entry.get("custom_id")
    if not isinstance(custom_id, str):
        return None
    response, error = _object(entry.get("response")), _object(entry.get("error"))
    body = response.get("body")
    status = response.get("status_code")
    return BatchAnswer(
        custom_id=custom_id,
        status=status if isinstance(status, int) else None,
        body=_compact(body) if isinstance(body, dict) else "",
        reason=_reason(error) or _reason(_object(_object(body).get("error"))),
    )


def _faults(errors: Any) -> tuple[BatchFault, ...]:
    listed = _object(errors).get("data")
    entries = [_object(entry) for entry in listed] if isinstance(listed, list) else []
    return tuple(
        BatchFault(
            code=_text(entry.get("code")) or "error",
            line=line if isinstance(line := entry.get("line"), int) else None,
            message=_text(entry.get("message")) or "",
        )
        for entry in entries
    )


def _reason(error: Mapping[str, Any]) -> str:
    said = (_text(error.get("code")), _text(error.get("message")))
    return ": ".join(text for text in said if text)


def _compact(value: Any) -> str:
    text = json.dumps(value, separators=(",", ":"), ensure_ascii=False)
    # Half a surrogate pair has no UTF-8 form; its JSON escape means the same and has one.
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def _parse(line: bytes) -> Any:
    try:
        return json.loads(line)
    except (ValueError, RecursionError):
        return None


def _object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None


def _number(value: Any) -> float | None:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if is_number else None


def _count(value: Any) -> int:
    return value if isinstance(value, int) and value > 0 else 0
