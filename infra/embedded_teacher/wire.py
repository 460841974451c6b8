"""What crosses the wire: the ASGI values of one exchange, answers and OpenAI's error bodies.

Plain ASGI instead of a framework for two reasons: a request is half a megabyte of base64 that is
read once, and cutting a connection needs uvicorn's transport, which frameworks wrap away.
"""

import json
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from typing import Any, Final

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

JSON_TYPE: Final = b"application/json"


@dataclass(frozen=True, slots=True)
class Answer:
    """One response.

    Attributes:
        status: HTTP status.
        body: the whole body.
        finish_reason: of the completion in it; null if it holds none.
        content_type: of the body.
        headers: further headers.
    """

    status: int
    body: bytes
    finish_reason: str | None = None
    content_type: bytes = JSON_TYPE
    headers: tuple[tuple[bytes, bytes], ...] = ()


async def read_body(receive: Receive) -> bytes:
    """Return the whole body of a request, or what came of it before the client left."""
    chunks: list[bytes] = []
    while (message := await receive())["type"] == "http.request":
        chunks.append(message.get("body", b""))
        if not message.get("more_body", False):
            break
    return b"".join(chunks)


async def respond(send: Send, answer: Answer) -> None:
    """Send an answer as a whole."""
    await send(start_of(answer))
    await send({"type": "http.response.body", "body": answer.body})


def start_of(answer: Answer) -> Message:
    """Return the message that sends an answer's status and headers."""
    headers = [
        (b"content-type", answer.content_type),
        (b"content-length", str(len(answer.body)).encode()),
        *answer.headers,
    ]
    return {"type": "http.response.start", "status": answer.status, "headers": headers}


def header(scope: Scope, name: bytes) -> bytes:
    """Return a request's header, empty if it is missing."""
    found: bytes = next((value for key, value in scope["headers"] if key == name), b"")
    return found


def json_answer(value: Any, status: int = 200) -> Answer:
    """Return an answer whose body is `value` as JSON."""
    return Answer(status, json_bytes(value))


def error(
    status: int, message: str, code: str, headers: tuple[tuple[bytes, bytes], ...] = ()
) -> Answer:
    """Return an error as OpenAI words it."""
    said = {"message": message, "type": "invalid_request_error", "param": None, "code": code}
    return Answer(status, json_bytes({"error": said}), headers=headers)


def json_bytes(value: Any) -> bytes:
    """Return compact JSON; half a surrogate pair goes through as it came."""
    text = json.dumps(value, separators=(",", ":"), ensure_ascii=False)
    return text.encode("utf-8", "surrogatepass")
