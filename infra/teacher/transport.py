"""The seam below the engine: one POST, and what came of it as a value.

A transport never raises for what an endpoint or a network can do, and nothing it returns holds a
key or a header of the request: what is not there cannot leak into a log, an exception or a row.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class HttpReply:
    """A whole HTTP response; header names in lower case."""

    status: int
    headers: Mapping[str, str]
    body: str


@dataclass(frozen=True, slots=True)
class NoReply:
    """No whole response came.

    Attributes:
        reason: `timeout`, `disconnect` or `connect`.
        was_sent: whether the endpoint may have the request, and may bill it.
    """

    reason: str
    was_sent: bool


class Transport(Protocol):
    """Sends chat completion requests to one endpoint."""

    address: str
    """Scheme, host and path, without credentials: safe to print."""

    async def post(self, body: bytes, headers: Mapping[str, str]) -> HttpReply | NoReply:
        """Send one request and return what came of it."""
        ...

    async def close(self) -> None:
        """Close connections."""
        ...
