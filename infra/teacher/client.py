"""The client of every OpenAI-compatible endpoint, and the way to open a teacher on one.

The only module that imports `openai`.  Of the SDK it uses connection handling, authentication
and base-URL rules; bodies are sent as the bytes we hashed and stored as the text we received.
`max_retries=0`: the SDK retries inside the call, where it would hold a slot and a reservation
and pay a truncated timeout again without asking the budget.

Exceptions of the SDK hold the request with its key, so none of them leaves this file: each
becomes a value, outside its `except` block, and the key is struck from any text that echoes it.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import httpx2
import openai

from infra.ledger.ledger import Ledger
from infra.teacher.address import checked_key, is_loopback, printable_address
from infra.teacher.budget import Budget, Caps
from infra.teacher.buying import EngineOptions, Spending
from infra.teacher.engine import Teacher
from infra.teacher.prices import Prices
from infra.teacher.retry import RetryPolicy
from infra.teacher.transport import HttpReply, NoReply
from infra.teacher.types import Asker, ImagePart, Request, Response

__all__ = [
    "Asker",
    "ImagePart",
    "OpenAITransport",
    "Request",
    "Response",
    "Teacher",
    "TeacherConfig",
    "open_teacher",
]

CHAT_PATH: Final = "/chat/completions"
CONNECT_TIMEOUT_S: Final = 10.0
NO_KEY: Final = "none"
"""The SDK insists on a key; local endpoints ignore it."""


@dataclass(frozen=True, slots=True)
class TeacherConfig:
    """Where a teacher is, who pays and how much; plain values.

    Attributes:
        base_url: up to and including `/v1`.
        model: as the endpoint names it; checked against the price table if `max_usd` is set.
        recipe: who pays, for the ledger.
        step: for which step.
        api_key: never printed; null for endpoints that want none.
        max_in_flight: calls on the wire at once.
        timeout_s: for one whole HTTP exchange.
        max_usd: hard cap of this run; null is no cap.
        max_calls: hard cap of this run; null is no cap.
        prices_file: a price table instead of the project's own.
        retry: when to try again.
        retry_truncated: ask once more, with twice the room, when a reply was cut.
    """

    base_url: str
    model: str
    recipe: str
    step: str = "distill"
    api_key: str | None = field(default=None, repr=False)
    max_in_flight: int = 32
    timeout_s: float = 180.0
    max_usd: float | None = None
    max_calls: int | None = None
    prices_file: Path | None = None
    retry: RetryPolicy = field(default_factory=RetryPolicy)
    retry_truncated: bool = True


def open_teacher(config: TeacherConfig, ledger: Ledger) -> Teacher:
    """Return a running teacher; close it, then flush the ledger.

    Raises:
        UsageError: the base URL or the price table cannot be used.
        TeacherError: a dollar cap is set and the model has no price.
    """
    prices = Prices.load(config.prices_file)
    if config.max_usd is not None:
        prices.require(config.model)
    spending = Spending(ledger, Budget(Caps(config.max_usd, config.max_calls)), prices)
    options = EngineOptions(
        recipe=config.recipe,
        step=config.step,
        max_in_flight=config.max_in_flight,
        retry=config.retry,
        retry_truncated=config.retry_truncated,
        drain_s=config.timeout_s,
    )
    transport = OpenAITransport(
        config.base_url, config.api_key, config.timeout_s, config.max_in_flight
    )
    return Teacher(transport, spending, options)


class OpenAITransport:
    """Posts chat completions to one endpoint."""

    def __init__(
        self, base_url: str, api_key: str | None, timeout_s: float, max_connections: int
    ) -> None:
        self.address = printable_address(base_url)
        self._secret = checked_key(api_key)
        self._timeout_s = timeout_s
        self._client = openai.AsyncOpenAI(
            base_url=base_url,
            api_key=self._secret or NO_KEY,
            max_retries=0,
            http_client=openai.DefaultAsyncHttpxClient(
                timeout=httpx2.Timeout(timeout_s, connect=min(CONNECT_TIMEOUT_S, timeout_s)),
                limits=httpx2.Limits(
                    max_connections=max_connections, max_keepalive_connections=max_connections
                ),
                trust_env=not is_loopback(base_url),
            ),
        )

    def __repr__(self) -> str:
        return f"OpenAITransport({self.address!r})"

    async def post(self, body: bytes, headers: Mapping[str, str]) -> HttpReply | NoReply:
        """Send one request; see `infra.teacher.transport`."""
        try:
            async with asyncio.timeout(self._timeout_s):
                reply = await self._client.post(
                    CHAT_PATH,
                    cast_to=httpx2.Response,
                    content=body,
                    options={"headers": dict(headers)},
                )
        except openai.APIStatusError as exc:
            reply = exc.response
        except TimeoutError:
            return NoReply("timeout", was_sent=True)
        except openai.APITimeoutError as exc:
            return NoReply("timeout", was_sent=not _never_connected(exc))
        except openai.APIConnectionError as exc:
            never = _never_connected(exc)
            return NoReply("connect" if never else "disconnect", was_sent=not never)
        return HttpReply(reply.status_code, _lower(reply.headers), self._without_secret(reply.text))

    async def close(self) -> None:
        """Close connections."""
        await self._client.close()

    def _without_secret(self, text: str) -> str:
        """Return `text` with the key struck out; some endpoints echo it in error messages."""
        return text.replace(self._secret, "***") if self._secret else text


def _never_connected(exc: openai.APIConnectionError) -> bool:
    return isinstance(
        exc.__cause__, httpx2.ConnectError | httpx2.ConnectTimeout | httpx2.PoolTimeout
    )


def _lower(headers: httpx2.Headers) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}
