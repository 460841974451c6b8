"""The server's own record of what it was asked and what it answered, one JSON line per event.

Lines are written with one `write` each to a file opened for appending, so they survive a kill and
several servers may share a file.  `received` is written before anything is decided, `answered`
once the whole response was handed to the connection; a request whose client went away, or whose
connection was cut on purpose, ends with `lost` instead.  Tests join `call` with the ledger.
"""

import json
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

Event = Literal["received", "answered", "lost"]


@dataclass(frozen=True, slots=True)
class LoggedEvent:
    """One line of the log.

    Attributes:
        event: what happened.
        number: of the request, from 1, per server.
        body_sha256: of the request body.
        call: `<request_key>/<draw>` as the client says; empty if it says nothing.
        status: HTTP status answered; null at `received` and where the connection was cut.
        finish_reason: of the reply; null if there is none.
        at: seconds since 1970.
    """

    event: Event
    number: int
    body_sha256: str
    call: str
    status: int | None
    finish_reason: str | None
    at: float


class RequestLog:
    """Appends events to a file; with a null path it does nothing."""

    def __init__(self, path: Path | None) -> None:
        self._fd: int | None = None
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
            self._fd = os.open(path, flags, 0o644)

    def write(
        self,
        event: Event,
        request: tuple[int, str, str],
        status: int | None = None,
        finish_reason: str | None = None,
    ) -> None:
        """Append an event; `request` is (number, body_sha256, call)."""
        if self._fd is None:
            return
        number, body_sha256, call = request
        line = {
            "event": event,
            "number": number,
            "body_sha256": body_sha256,
            "call": call,
            "status": status,
            "finish_reason": finish_reason,
            "at": time.time(),
        }
        os.write(self._fd, json.dumps(line, separators=(",", ":")).encode() + b"\n")

    def close(self) -> None:
        """Close the file."""
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None


def read_log(path: Path) -> Iterator[LoggedEvent]:
    """Yield the events of a log; a line cut by a kill is left out."""
    if not path.exists():
        return
    for line in path.read_text(encoding="utf-8").splitlines(keepends=True):
        if line.endswith("\n"):
            fields: dict[str, Any] = json.loads(line)
            yield LoggedEvent(**fields)
