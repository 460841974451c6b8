"""The embedded teacher's ASGI application: chat completions, embeddings, models, files, batches.

What a real endpoint refuses is refused alike: 401 for a wrong key, 404 for another model, 400 for
no messages or an image that cannot be read.  A reply is written before the time it takes has
passed: its request, half a megabyte, is not held meanwhile.
"""

import asyncio
import hashlib
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from infra.embedded_teacher.batch_api import BatchApi
from infra.embedded_teacher.batch_lines import BatchRequest
from infra.embedded_teacher.chat_request import Refusal, read_chat
from infra.embedded_teacher.embeddings import read_embedding
from infra.embedded_teacher.misbehaviour import Misbehaviour
from infra.embedded_teacher.models import Models, Question, ServedModel
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

CHAT_PATH: Final = "/v1/chat/completions"
READERS: Final[Mapping[str, Callable[[bytes], Question | Refusal]]] = {
    CHAT_PATH: read_chat,
    "/v1/embeddings": read_embedding,
}
"""What is asked at a path."""
CALL_HEADER: Final = b"x-sightline-call"
_SERVER_ERROR: Final = error(500, "The server had an error", "server_error")
MAX_REMEMBERED: Final = 200_000
"""Bodies whose attempts are counted; the oldest are forgotten first."""


class TeacherApp:
    """Answers chat completions, live and in batches, and embeddings; one per server process."""

    def __init__(
        self,
        model: str,
        misbehaviour: Misbehaviour,
        log: RequestLog,
        state: Path,
        api_key: str | None = None,
        others: Mapping[str, Misbehaviour] | None = None,
    ) -> None:
        self._models = Models(model, misbehaviour, others or {}, time.monotonic)
        self._misbehaviour, self._log = misbehaviour, log
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
        if scope["method"] == "POST" and scope["path"] in READERS:
            await self._ask(scope, receive, send)
        elif route == ("GET", "/v1/models"):
            names = self._models.names
            listed = [{"id": n, "object": "model", "owned_by": "sightline"} for n in names]
            answer = self._refused(scope) or json_answer({"object": "list", "data": listed})
            await respond(send, answer)
        elif route == ("GET", "/health"):
            await respond(send, json_answer({"status": "ok"}))
        elif route == ("GET", "/stats"):
            stats = self._counts | {"in_flight": self._busy, "status": self._by_status}
            await respond(send, json_answer(stats))
        else:
            body = await read_body(receive)
            await respond(send, self._refused(scope) or self._batches.answer(scope, body))

    async def _ask(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._busy += 1
        self._counts["max_in_flight"] = max(self._counts["max_in_flight"], self._busy)
        with ExitStack() as load:
            load.callback(self._no_longer_busy)
            exchange = self._begin(scope, await read_body(receive), load)
            await asyncio.sleep(exchange.latency_s)
            status = await self._deliver(exchange, send)
        self._settle(exchange.asked, status, exchange.answer.finish_reason)

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

    def _begin(self, scope: Scope, body: bytes, load: ExitStack) -> "_Exchange":
        """Return the answer to a body and when to give it; `load` ends with the exchange."""
        asked = self._take_in(body, header(scope, CALL_HEADER).decode("latin-1"), "live")
        if (refused := self._refused(scope)) is not None:
            return _Exchange(asked, refused, self._misbehaviour)
        found = self._understood(body, scope["path"])
        if isinstance(found, Answer):
            return _Exchange(asked, found, self._misbehaviour)
        request, model = found
        load.enter_context(model.being_asked())
        if (refused := model.refusal(request, asked)) is not None:
            return _Exchange(asked, refused, model.behaviour)
        wire = (asked.body_sha256, asked.attempt)
        latency_s = model.behaviour.latency_s(*wire)
        if model.behaviour.happens("server_error_share", *wire):
            return _Exchange(asked, _SERVER_ERROR, model.behaviour, latency_s)
        return _Exchange(asked, model.answer(request, asked), model.behaviour, latency_s)

    def _understood(self, body: bytes, path: str) -> tuple[Question, ServedModel] | Answer:
        """Return what a body asks of which model, or what it is answered instead."""
        request = READERS[path](body)
        if isinstance(request, Refusal):
            return error(request.status, request.message, request.code)
        model = self._models.get(request.model)
        if model is None:
            said = f"the model does not exist; there are {', '.join(self._models.names)}"
            return error(404, said, "model_not_found")
        return request, model

    def _answer_batched(
        self, request: BatchRequest, batch_id: str, keep: Callable[[Answer], None]
    ) -> None:
        body = json_bytes(request.body)
        asked = self._take_in(body, request.custom_id, "batch")
        found = self._understood(body, CHAT_PATH)
        if self._misbehaviour.happens("batch_error_share", asked.body_sha256, batch_id):
            answer = _SERVER_ERROR
        else:
            answer = found if isinstance(found, Answer) else found[1].answer(found[0], asked)
        keep(answer)
        self._settle(asked, answer.status, answer.finish_reason)

    async def _deliver(self, exchange: "_Exchange", send: Send) -> int | None:
        """Send the answer; return its status, null if the client did not get all of it."""
        answer, asked = exchange.answer, exchange.asked
        wire = (asked.body_sha256, asked.attempt)
        connection: Any = getattr(send, "__self__", None)
        if exchange.behaviour.happens("disconnect_before_share", *wire):
            connection.transport.abort()
            return None
        if exchange.behaviour.happens("disconnect_within_share", *wire):
            half = answer.body[: len(answer.body) // 2]
            await send(start_of(answer))
            await send({"type": "http.response.body", "body": half, "more_body": True})
            connection.transport.close()
            return None
        await respond(send, answer)
        return None if connection is not None and connection.disconnected else answer.status

    def _no_longer_busy(self) -> None:
        self._busy -= 1


@dataclass(frozen=True, slots=True)
class _Exchange:
    """One request, the answer to it, whose mistakes apply, and how long the answer takes."""

    asked: Asked
    answer: Answer
    behaviour: Misbehaviour
    latency_s: float = 0.0
