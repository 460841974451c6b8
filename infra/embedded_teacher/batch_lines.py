"""The lines of a batch: what an input must hold, and what a result says.

An input is refused as a whole, with every reason found, if one line of it cannot be used; that is
what OpenAI does, and why a sender has to check before it uploads.  A result is `response` for a
request that got an answer, whatever its status, or `error` for one that was never executed.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from infra.embedded_teacher.wire import json_bytes

MAX_ERRORS: Final = 50
"""Reasons told of one input."""

EXPIRED: Final = "batch_expired"
CANCELLED: Final = "batch_cancelled"
_NEVER_EXECUTED: Final = {
    EXPIRED: "This request could not be executed before the completion window expired.",
    CANCELLED: "This request was not executed because the batch was cancelled.",
}


@dataclass(frozen=True, slots=True)
class BatchLimits:
    """What one input file may hold at most."""

    requests: int
    bytes: int


@dataclass(frozen=True, slots=True)
class BatchRequest:
    """One usable line of an input."""

    custom_id: str
    body: dict[str, Any]


def requests_in(path: Path) -> Iterator[BatchRequest]:
    """Yield the requests of an input that `faults_of` found nothing wrong with."""
    with path.open("rb") as lines:
        for line in lines:
            if line.strip():
                entry = json.loads(line)
                yield BatchRequest(entry["custom_id"], entry["body"])


def faults_of(path: Path, endpoint: str, limits: BatchLimits) -> list[dict[str, Any]]:
    """Return why an input cannot be used: entries of a batch's `errors.data`; empty if it can."""
    size = path.stat().st_size
    if size > limits.bytes:
        return [_fault(None, "file_too_large", f"{size} bytes; at most {limits.bytes}")]
    faults: list[dict[str, Any]] = []
    seen: set[str] = set()
    models: set[str] = set()
    with path.open("rb") as lines:
        for number, line in enumerate(lines, start=1):
            if line.strip():
                code = _code(line, endpoint, seen, models)
                faults += [_fault(number, code, _SAID[code])] if code else []
    if not seen and not faults:
        return [_fault(None, "empty_file", "the input holds no requests")]
    if len(seen) > limits.requests:
        return [_fault(None, "too_many_requests", f"{len(seen)}; at most {limits.requests}")]
    return faults[:MAX_ERRORS]


def answered_line(custom_id: str, number: int, status: int, body: bytes) -> bytes:
    """Return the result of a request that got an answer."""
    request_id = f"{number:032x}"
    response = {"status_code": status, "request_id": request_id, "body": json.loads(body)}
    return _line(custom_id, number, {"response": response, "error": None})


def unanswered_line(custom_id: str, number: int, code: str) -> bytes:
    """Return the result of a request that was never executed; `code` says why."""
    error = {"code": code, "message": _NEVER_EXECUTED[code]}
    return _line(custom_id, number, {"response": None, "error": error})


def custom_ids(path: Path) -> set[str]:
    """Return whose results a file holds."""
    if not path.exists():
        return set()
    with path.open("rb") as lines:
        return {json.loads(line)["custom_id"] for line in lines}


_SAID: Final = {
    "invalid_json_line": "This line is not parseable as valid JSON.",
    "missing_required_parameter": "`custom_id`, `method`, `url` and `body` are required.",
    "invalid_method": "The method must be POST.",
    "invalid_url": "The URL provided for this request does not match the batch endpoint.",
    "duplicate_custom_id": "The custom_id for this request is a duplicate of another request.",
    "mismatched_model": "The model of this request differs from that of the first one.",
}


def _code(line: bytes, endpoint: str, seen: set[str], models: set[str]) -> str | None:
    """Return what is wrong with a line, null if nothing is; notes its custom_id and model."""
    try:
        entry = json.loads(line)
    except ValueError:
        return "invalid_json_line"
    if not isinstance(entry, dict) or not isinstance(entry.get("body"), dict):
        return "missing_required_parameter"
    custom_id, model = entry.get("custom_id"), entry["body"].get("model")
    if not isinstance(custom_id, str) or not custom_id:
        return "missing_required_parameter"
    models.add(str(model))
    checks = {
        "invalid_method": entry.get("method") != "POST",
        "invalid_url": entry.get("url") != endpoint,
        "duplicate_custom_id": custom_id in seen,
        "mismatched_model": len(models) > 1,
    }
    seen.add(custom_id)
    return next((code for code, is_wrong in checks.items() if is_wrong), None)


def _fault(line: int | None, code: str, message: str) -> dict[str, Any]:
    return {"code": code, "line": line, "message": message, "param": None}


def _line(custom_id: str, number: int, result: dict[str, Any]) -> bytes:
    return json_bytes({"id": f"batch_req_{number:024x}", "custom_id": custom_id} | result) + b"\n"
