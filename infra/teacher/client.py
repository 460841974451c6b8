"""The client of every OpenAI-compatible endpoint, and the way to open a teacher on one.

The only module that imports `openai`.  Of the SDK it uses connection handling, authentication
and base-URL rules; bodies are sent as the bytes we hashed and stored as the text we received.
`max_retries=0`: the SDK retries inside the call, where it would hold a slot and a reservation
and pay a truncated timeout again without asking the budget.

Exceptions of the SDK hold the request with its key, so none of them leaves this file: each
becomes a value, outside its `except` block, and the key is struck from any text that echoes it.
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import httpx2
import openai

from infra.ledger.ledger import Ledger
from infra.ledger.row import CallKey
from infra.teacher.address import checked_key, is_loopback, printable_address
from infra.teacher.budget import Budget, Caps
from infra.teacher.buying import EngineOptions, Spending
from infra.teacher.embedding import EMBEDDINGS_PATH, EmbeddingTransport
from infra.teacher.endpoints import Endpoint, for_model
from infra.teacher.engine import Teacher
from infra.teacher.pace.breaker import OutagePolicy
from infra.teacher.pace.gatekeeper import Gatekeeper
from infra.teacher.pace.lane import PacePolicy
from infra.teacher.permits import Permits
from infra.teacher.prices import Prices
from infra.teacher.retry import RetryPolicy
from infra.teacher.transport import HttpReply, NoReply, Transport
from infra.teacher.types import Asker, ImagePart, Request, Response

__all__ = [
    "Asker",
    "Endpoint",
    "ImagePart",
    "OpenAITransport",
    "Request",
    "Response",
    "Teacher",
    "TeacherConfig",
    "open_gatekeeper",
    "open_teacher",
]

CHAT_PATH: Final = "/chat/completions"
CONNECT_TIMEOUT_S: Final = 10.0
POOL_CONNECTIONS: Final = 8
NO_KEY: Final = "none"
"""The SDK insists on a key; local endpoints ignore it."""


@dataclass(frozen=True, slots=True)
class TeacherConfig:
    """Where models are served, who pays and how much; plain values.

    Attributes:
        endpoints: where calls may go.
        recipe: who pays, for the ledger.
        step: for which step, where a request names none.
        models: those that will be asked; checked against endpoints and, with `max_usd`, prices.
        max_usd: hard cap of this run; null is no cap.
        max_calls: hard cap of this run; null is no cap.
        prices_file: a price table instead of the project's own.
        retry: when to try a call again.
        patience_s: how long an endpoint may be down before the run stops.
        retry_truncated: ask once more, with twice the room, when a reply was cut.
        probe: find out whether endpoints see images before one is bought an answer.
        reserved: see `EngineOptions`.
        embeds: whether requests are for embeddings, see `infra.teacher.embedding`.
    """

    endpoints: tuple[Endpoint, ...]
    recipe: str
    step: str = "distill"
    models: tuple[str, ...] = ()
    max_usd: float | None = None
    max_calls: int | None = None
    prices_file: Path | None = None
    retry: RetryPolicy = field(default_factory=RetryPolicy)
    patience_s: float = 1800.0
    retry_truncated: bool = True
    probe: bool = False
    reserved: Callable[[CallKey], str | None] | None = None
    embeds: bool = False

    @property
    def caps(self) -> Caps:
        """Return the most this run may spend."""
        return Caps(self.max_usd, self.max_calls)

    @property
    def pace(self) -> PacePolicy:
        """Return how the limits of each model at each endpoint react."""
        outage = OutagePolicy(
            first_wait_s=self.retry.base_s,
            max_wait_s=self.retry.max_wait_s,
            patience_s=self.patience_s,
        )
        return PacePolicy(max_retry_after_s=self.retry.max_retry_after_s, outage=outage)


def open_teacher(config: TeacherConfig, ledger: Ledger, permits: Permits | None = None) -> Teacher:
    """Return a running teacher; close it, then flush the ledger.

    Args:
        config: the teacher's.
        ledger: where calls are written down.
        permits: limits that are shared with other teachers; null for its own.

    Raises:
        UsageError: an address, a key or the price table cannot be used, or nobody serves a model.
        TeacherError: a dollar cap is set and a model has no price.
    """
    prices = Prices.load(config.prices_file)
    for model in config.models:
        for_model(config.endpoints, model)
        if config.max_usd is not None:
            prices.require(model)
    routes = {endpoint.name: _transport(endpoint, config) for endpoint in config.endpoints}
    options = EngineOptions(
        recipe=config.recipe,
        step=config.step,
        retry=config.retry,
        retry_truncated=config.retry_truncated,
        drain_s=max(endpoint.timeout_s for endpoint in config.endpoints),
        probe=config.probe,
        reserved=config.reserved,
    )
    spending = Spending(ledger, prices, config.caps)
    return Teacher(routes, permits or open_gatekeeper(config), spending, options)


def open_gatekeeper(config: TeacherConfig, budget: Budget | None = None) -> Gatekeeper:
    """Return the limits and caps of a run; plain Python, so it may live in another process.

    Args:
        config: of the teacher.
        budget: what another teacher of the run spends from too; null for one of its own.
    """
    return Gatekeeper(config.endpoints, budget or Budget(config.caps), config.pace)


def _transport(endpoint: Endpoint, config: TeacherConfig) -> Transport:
    if config.embeds:
        return EmbeddingTransport(OpenAITransport(endpoint, EMBEDDINGS_PATH))
    return OpenAITransport(endpoint)


class OpenAITransport:
    """Posts chat completions, or what another path takes, to one endpoint.

    Connections lie in small pools: the HTTP library looks at every connection of a pool for every
    call, which at 512 connections costs more than all the rest of a call.
    """

    def __init__(self, endpoint: Endpoint, path: str = CHAT_PATH) -> None:
        self._path = path
        self.address = printable_address(endpoint.base_url)
        self._endpoint = endpoint
        self._secret = checked_key(endpoint.api_key)
        self._ssl = httpx2.create_ssl_context(trust_env=not is_loopback(endpoint.base_url))
        self._clients: list[openai.AsyncOpenAI] = []
        self._free: list[openai.AsyncOpenAI] = []

    def __repr__(self) -> str:
        return f"OpenAITransport({self.address!r})"

    async def post(self, body: bytes, headers: Mapping[str, str]) -> HttpReply | NoReply:
        """Send one request; see `infra.teacher.transport`."""
        client = self._free.pop() if self._free else self._new_pool()
        try:
            async with asyncio.timeout(self._endpoint.timeout_s):
                reply = await client.post(
                    self._path,
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
        finally:
            self._free.append(client)
        return HttpReply(reply.status_code, _lower(reply.headers), self._without_secret(reply.text))

    async def close(self) -> None:
        """Close connections."""
        for client in self._clients:
            await client.close()

    def _new_pool(self) -> openai.AsyncOpenAI:
        """Return a client with connections of its own, each but one of them to be taken later."""
        timeout_s = self._endpoint.timeout_s
        client = openai.AsyncOpenAI(
            base_url=self._endpoint.base_url,
            api_key=self._secret or NO_KEY,
            max_retries=0,
            http_client=openai.DefaultAsyncHttpxClient(
                timeout=httpx2.Timeout(timeout_s, connect=min(CONNECT_TIMEOUT_S, timeout_s)),
                limits=httpx2.Limits(
                    max_connections=POOL_CONNECTIONS, max_keepalive_connections=POOL_CONNECTIONS
                ),
                verify=self._ssl,
                trust_env=not is_loopback(self._endpoint.base_url),
            ),
        )
        self._clients.append(client)
        self._free += [client] * (POOL_CONNECTIONS - 1)
        return client

    def _without_secret(self, text: str) -> str:
        """Return `text` with the key struck out; some endpoints echo it in error messages."""
        return text.replace(self._secret, "***") if self._secret else text


def _never_connected(exc: openai.APIConnectionError) -> bool:
    return isinstance(
        exc.__cause__, httpx2.ConnectError | httpx2.ConnectTimeout | httpx2.PoolTimeout
    )


def _lower(headers: httpx2.Headers) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}
