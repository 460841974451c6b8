"""The embedded teacher's ASGI application: three GETs and one POST.

Plain ASGI instead of a framework for two reasons: a request is half a megabyte of base64 that is
hashed and parsed once, and cutting a connection needs uvicorn's transport, which frameworks wrap
away.  What a real endpoint refuses is refused alike: 401 for a wrong key, 404 for another model,
400 for no messages or an image that cannot be read.
"""

import asyncio
import hashlib
import json
from collections import OrderedDict
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from typing import Any, Final

from infra.embedded_teacher.completion import Completion, complete
from infra.embedded_teacher.misbehaviour import Misbehaviour
from infra.embedded_teacher.request_log import Event, RequestLog

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

DEFAULT_MODEL: Final = "sightline-embedded"
CALL_HEADER: Final = b"x-sightline-call"
MAX_REMEMBERED: Final = 200_000
"""Bodies whose attempts are counted; the oldest are forgotten first."""


@dataclass(frozen=True, slots=True)
class _Answer:
    status: int
    body: bytes
    finish_reason: str | None = None
    retry_after_s: float | None = None


@dataclass(frozen=True, slots=True)
class _Asked:
    """One POST: its number, the sha256 of its body, what the client calls it, which attempt."""

    number: int
    body_sha256: str
    call: str
    attempt: str

    @property
    def logged(self) -> tuple[int, str, str]:
        return (self.number, self.body_sha256, self.call)


class TeacherApp:
    """Answers chat completions; one instance per server process."""

    def __init__(
        self, model: str, misbehaviour: Misbehaviour, log: RequestLog, api_key: str | None = None
    ) -> None:
        self._model, self._misbehaviour, self._log = model, misbehaviour, log
        self._key = f"Bearer {api_key}".encode() if api_key else None
        self._attempts: OrderedDict[str, int] = OrderedDict()
        self._busy = 0
        self._counts = {"requests": 0, "answered": 0, "lost": 0, "max_in_flight": 0}
        self._by_status: dict[str, int] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, as ASGI asks."""
        if scope["type"] != "http":
            return
        route = (scope["method"], scope["path"])
        if route == ("POST", "/v1/chat/completions"):
            await self._chat(scope, await _body(receive), send)
        elif route == ("GET", "/v1/models"):
            listed = {"id": self._model, "object": "model", "owned_by": "sightline"}
            await _respond(send, _Answer(200, _json({"object": "list", "data": [listed]})))
        elif route == ("GET", "/health"):
            await _respond(send, _Answer(200, _json({"status": "ok"})))
        elif route == ("GET", "/stats"):
            stats = self._counts | {"in_flight": self._busy, "status": self._by_status}
            await _respond(send, _Answer(200, _json(stats)))
        else:
            await _respond(send, _error(404, "no such path", "not_found"))

    async def _chat(self, scope: Scope, body: bytes, send: Send) -> None:
        asked = self._take_in(scope, body)
        self._busy += 1
        self._counts["max_in_flight"] = max(self._counts["max_in_flight"], self._busy)
        try:
            answer = await self._answer(scope, body, asked)
            status = await self._deliver(answer, asked, send)
        finally:
            self._busy -= 1
        self._counts["answered" if status else "lost"] += 1
        self._by_status[str(status)] = self._by_status.get(str(status), 0) + 1
        event: Event = "answered" if status else "lost"
        self._log.write(event, asked.logged, status, answer.finish_reason)

    def _take_in(self, scope: Scope, body: bytes) -> _Asked:
        digest = hashlib.sha256(body).hexdigest()
        attempt = self._attempts.pop(digest, 0) + 1
        self._attempts[digest] = attempt
        if len(self._attempts) > MAX_REMEMBERED:
            self._attempts.popitem(last=False)
        self._counts["requests"] += 1
        call = _header(scope, CALL_HEADER).decode("latin-1")
        asked = _Asked(self._counts["requests"], digest, call, str(attempt))
        self._log.write("received", asked.logged)
        return asked

    async def _answer(self, scope: Scope, body: bytes, asked: _Asked) -> _Answer:
        trouble, wire = self._misbehaviour, (asked.body_sha256, asked.attempt)
        if self._key is not None and _header(scope, b"authorization") != self._key:
            return _error(401, "Incorrect API key provided", "invalid_api_key")
        above = trouble.throttle_above
        if (above is not None and self._busy > above) or trouble.happens("throttle_share", *wire):
            refused = _error(429, "Rate limit reached", "rate_limit_exceeded")
            return _Answer(429, refused.body, retry_after_s=trouble.retry_after_s)
        await asyncio.sleep(trouble.latency_s(*wire))
        if trouble.happens("server_error_share", *wire):
            return _error(500, "The server had an error", "server_error")
        draw = asked.call.rpartition("/")[2]
        completion = complete(body, asked.body_sha256, draw, self._model, trouble)
        if isinstance(completion, Completion):
            return _Answer(200, completion.body, completion.finish_reason)
        return _error(completion.status, completion.message, completion.code)

    async def _deliver(self, answer: _Answer, asked: _Asked, send: Send) -> int | None:
        """Send the answer; return its status, null if the client did not get all of it."""
        wire = (asked.body_sha256, asked.attempt)
        connection: Any = getattr(send, "__self__", None)
        if self._misbehaviour.happens("disconnect_before_share", *wire):
            connection.transport.abort()
            return None
        if self._misbehaviour.happens("disconnect_within_share", *wire):
            half = answer.body[: len(answer.body) // 2]
            await send(_start(answer))
            await send({"type": "http.response.body", "body": half, "more_body": True})
            connection.transport.close()
            return None
        await _respond(send, answer)
        return None if connection is not None and connection.disconnected else answer.status


async def _body(receive: Receive) -> bytes:
    chunks: list[bytes] = []
    while (message := await receive())["type"] == "http.request":
        chunks.append(message.get("body", b""))
        if not message.get("more_body", False):
            break
    return b"".join(chunks)


async def _respond(send: Send, answer: _Answer) -> None:
    await send(_start(answer))
    await send({"type": "http.response.body", "body": answer.body})


def _start(answer: _Answer) -> Message:
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(answer.body)).encode()),
    ]
    if answer.retry_after_s is not None:
        headers.append((b"retry-after", f"{answer.retry_after_s:g}".encode()))
    return {"type": "http.response.start", "status": answer.status, "headers": headers}


def _header(scope: Scope, name: bytes) -> bytes:
    found: bytes = next((value for key, value in scope["headers"] if key == name), b"")
    return found


def _error(status: int, message: str, code: str) -> _Answer:
    error = {"message": message, "type": "invalid_request_error", "param": None, "code": code}
    return _Answer(status, _json({"error": error}))


def _json(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode(
        "utf-8", "surrogatepass"
    )
