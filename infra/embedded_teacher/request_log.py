"""The server's own record of what it was asked and what it answered, one JSON line per event.

A request of a batch has its events like any other; `channel` tells them apart.

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
Channel = Literal["live", "batch"]


@dataclass(frozen=True, slots=True)
class LoggedEvent:
    """One line of the log.

    Attributes:
        event: what happened.
        number: of the request, from 1, per server.
        body_sha256: of the request body.
        call: `<request_key>/<draw>` as the client says, in a batch the `custom_id`; else empty.
        status: HTTP status answered; null at `received` and where the connection was cut.
        finish_reason: of the reply; null if there is none.
        at: seconds since 1970.
        channel: how it was asked.
    """

    event: Event
    number: int
    body_sha256: str
    call: str
    status: int | None
    finish_reason: str | None
    at: float
    channel: Channel = "live"


@dataclass(frozen=True, slots=True)
class Asked:
    """One request as it was taken in.

    Attributes:
        number: from 1, per server.
        body_sha256: of the body.
        call: what the client calls it.
        attempt: which time this body is asked.
        channel: how it is asked.
    """

    number: int
    body_sha256: str
    call: str
    attempt: str
    channel: Channel = "live"

    @property
    def draw(self) -> str:
        """Return which sample of the request is asked for, as the client says."""
        return self.call.rpartition("/")[2]


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
        asked: Asked,
        status: int | None = None,
        finish_reason: str | None = None,
    ) -> None:
        """Append an event."""
        if self._fd is None:
            return
        line = {
            "event": event,
            "number": asked.number,
            "body_sha256": asked.body_sha256,
            "call": asked.call,
            "status": status,
            "finish_reason": finish_reason,
            "at": time.time(),
            "channel": asked.channel,
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
