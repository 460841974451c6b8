"""The embedded teacher's ASGI application: chat completions, models, files and batches.

What a real endpoint refuses is refused alike: 401 for a wrong key, 404 for another model, 400 for
no messages or an image that cannot be read.
"""

import asyncio
import hashlib
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from infra.embedded_teacher.batch_api import BatchApi
from infra.embedded_teacher.batch_lines import BatchRequest
from infra.embedded_teacher.completion import Completion, complete
from infra.embedded_teacher.misbehaviour import Misbehaviour
from infra.embedded_teacher.request_log import Asked, Channel, Event, RequestLog
from infra.embedded_teacher.wire import (
    Answer,
    Receive,
    Scope,
    Send,
    error,
    header,
    json_answer,
    json_bytes,
    read_body,
    respond,
    start_of,
)

DEFAULT_MODEL: Final = "sightline-embedded"
CALL_HEADER: Final = b"x-sightline-call"
MAX_REMEMBERED: Final = 200_000
"""Bodies whose attempts are counted; the oldest are forgotten first."""


class TeacherApp:
    """Answers chat completions, live and in batches; one instance per server process."""

    def __init__(
        self,
        model: str,
        misbehaviour: Misbehaviour,
        log: RequestLog,
        state: Path,
        api_key: str | None = None,
    ) -> None:
        self._model, self._misbehaviour, self._log = model, misbehaviour, log
        self._key = f"Bearer {api_key}".encode() if api_key else None
        self._batches = BatchApi(state, misbehaviour, self._answer_batched)
        self._attempts: OrderedDict[str, int] = OrderedDict()
        self._busy = 0
        self._counts = {"requests": 0, "answered": 0, "lost": 0, "max_in_flight": 0}
        self._by_status: dict[str, int] = {}

    def resume(self) -> None:
        """Go on with the batches of an earlier server; needs the running loop."""
        self._batches.resume()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, as ASGI asks."""
        if scope["type"] != "http":
            return
        route = (scope["method"], scope["path"])
        if route == ("POST", "/v1/chat/completions"):
            await self._chat(scope, await read_body(receive), send)
        elif route == ("GET", "/v1/models"):
            listed = {"id": self._model, "object": "model", "owned_by": "sightline"}
            await respond(send, json_answer({"object": "list", "data": [listed]}))
        elif route == ("GET", "/health"):
            await respond(send, json_answer({"status": "ok"}))
        elif route == ("GET", "/stats"):
            stats = self._counts | {"in_flight": self._busy, "status": self._by_status}
            await respond(send, json_answer(stats))
        else:
            body = await read_body(receive)
            await respond(send, self._refused(scope) or self._batches.answer(scope, body))

    async def _chat(self, scope: Scope, body: bytes, send: Send) -> None:
        call = header(scope, CALL_HEADER).decode("latin-1")
        asked = self._take_in(body, call, "live")
        self._busy += 1
        self._counts["max_in_flight"] = max(self._counts["max_in_flight"], self._busy)
        try:
            answer = self._refused(scope) or await self._answer(body, asked)
            status = await self._deliver(answer, asked, send)
        finally:
            self._busy -= 1
        self._settle(asked, status, answer.finish_reason)

    def _take_in(self, body: bytes, call: str, channel: Channel) -> Asked:
        digest = hashlib.sha256(body).hexdigest()
        attempt = self._attempts.pop(digest, 0) + 1
        self._attempts[digest] = attempt
        if len(self._attempts) > MAX_REMEMBERED:
            self._attempts.popitem(last=False)
        self._counts["requests"] += 1
        asked = Asked(self._counts["requests"], digest, call, str(attempt), channel)
        self._log.write("received", asked)
        return asked

    def _settle(self, asked: Asked, status: int | None, finish_reason: str | None) -> None:
        self._counts["answered" if status else "lost"] += 1
        self._by_status[str(status)] = self._by_status.get(str(status), 0) + 1
        event: Event = "answered" if status else "lost"
        self._log.write(event, asked, status, finish_reason)

    def _refused(self, scope: Scope) -> Answer | None:
        """Return the answer to a wrong key, null if the key is right or none is asked for."""
        if self._key is None or header(scope, b"authorization") == self._key:
            return None
        return error(401, "Incorrect API key provided", "invalid_api_key")

    async def _answer(self, body: bytes, asked: Asked) -> Answer:
        trouble, wire = self._misbehaviour, (asked.body_sha256, asked.attempt)
        above = trouble.throttle_above
        if (above is not None and self._busy > above) or trouble.happens("throttle_share", *wire):
            return error(429, "Rate limit reached", "rate_limit_exceeded", _retry_after(trouble))
        await asyncio.sleep(trouble.latency_s(*wire))
        if trouble.happens("server_error_share", *wire):
            return error(500, "The server had an error", "server_error")
        return self._completed(body, asked)

    def _completed(self, body: bytes, asked: Asked) -> Answer:
        made = complete(body, asked.body_sha256, asked.draw, self._model, self._misbehaviour)
        if isinstance(made, Completion):
            return Answer(200, made.body, made.finish_reason)
        return error(made.status, made.message, made.code)

    def _answer_batched(
        self, request: BatchRequest, batch_id: str, keep: Callable[[Answer], None]
    ) -> None:
        body = json_bytes(request.body)
        asked = self._take_in(body, request.custom_id, "batch")
        if self._misbehaviour.happens("batch_error_share", asked.body_sha256, batch_id):
            answer = error(500, "The server had an error", "server_error")
        else:
            answer = self._completed(body, asked)
        keep(answer)
        self._settle(asked, answer.status, answer.finish_reason)

    async def _deliver(self, answer: Answer, asked: Asked, send: Send) -> int | None:
        """Send the answer; return its status, null if the client did not get all of it."""
        wire = (asked.body_sha256, asked.attempt)
        connection: Any = getattr(send, "__self__", None)
        if self._misbehaviour.happens("disconnect_before_share", *wire):
            connection.transport.abort()
            return None
        if self._misbehaviour.happens("disconnect_within_share", *wire):
            half = answer.body[: len(answer.body) // 2]
            await send(start_of(answer))
            await send({"type": "http.response.body", "body": half, "more_body": True})
            connection.transport.close()
            return None
        await respond(send, answer)
        return None if connection is not None and connection.disconnected else answer.status


def _retry_after(trouble: Misbehaviour) -> tuple[tuple[bytes, bytes], ...]:
    seconds = trouble.retry_after_s
    return () if seconds is None else ((b"retry-after", f"{seconds:g}".encode()),)
