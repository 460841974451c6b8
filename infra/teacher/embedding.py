"""Embeddings from any OpenAI-compatible endpoint, bought as every other call is.

An embedding travels through the engine as a question with one text and comes back as a reply whose
text is the vector as JSON: so the ledger, caps, rates, retries and kill-safety of the engine hold
for it as they are, and no embedding that was received is lost or paid twice.  One text is one call
(endpoints charge by token, not by call), so that its key depends on no other text.  Only the wire
differs, and that is this transport.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from infra.teacher.reply import HTTP_OK
from infra.teacher.transport import HttpReply, NoReply, Transport
from infra.teacher.types import Request, Response
from sightline.outcomes import Outcome

EMBEDDINGS_PATH: Final = "/embeddings"
FORMAT: Final = {"encoding_format": "float"}
"""Sent with every embedding and never with a chat, so that their keys cannot be the same."""
PROMPT_ID: Final = "embedding"


def embedding_request(
    model: str, text: str, subject_id: str, dimensions: int | None = None
) -> Request:
    """Return the request for the embedding of `text`.

    Args:
        model: as the endpoint names it.
        text: not empty.
        subject_id: what the text is of; not identity.
        dimensions: wanted length, where the model can be cut; null is its own.
    """
    length = {} if dimensions is None else {"dimensions": dimensions}
    return Request(model, None, (text,), FORMAT | length, PROMPT_ID, subject_id)


def vector_of(response: Response) -> list[float] | None:
    """Return the embedding that was bought, null if there is none."""
    return _vector(_parsed(response.text)) if response.outcome is Outcome.SUCCESS else None


class EmbeddingTransport:
    """Posts embedding requests through a transport whose path is `EMBEDDINGS_PATH`."""

    def __init__(self, inner: Transport) -> None:
        self.address = inner.address
        self._inner = inner

    def __repr__(self) -> str:
        return f"EmbeddingTransport({self.address!r})"

    async def post(self, body: bytes, headers: Mapping[str, str]) -> HttpReply | NoReply:
        """Send one request; see `infra.teacher.transport`."""
        reply = await self._inner.post(_asked(body), headers)
        if isinstance(reply, NoReply) or reply.status != HTTP_OK:
            return reply
        return replace(reply, body=_as_completion(reply.body))

    async def close(self) -> None:
        """Close connections."""
        await self._inner.close()


def _asked(body: bytes) -> bytes:
    """Return the body of an embedding request for that of a question with one text."""
    fields: dict[str, Any] = json.loads(body)
    (message,) = fields.pop("messages")
    (part,) = message["content"]
    asked = {"model": fields.pop("model"), "input": part["text"]} | fields
    return json.dumps(asked, separators=(",", ":")).encode()


def _as_completion(body: str) -> str:
    """Return an embedding's answer as a completion; anything else comes back as it is.

    An answer in another encoding, or with numbers that are none, is no answer to the engine.
    """
    answer = _parsed(body)
    data = answer.get("data") if isinstance(answer, dict) else None
    first = data[0] if isinstance(data, list) and len(data) == 1 else None
    vector = _vector(first.get("embedding")) if isinstance(first, dict) else None
    if vector is None:
        return body
    usage = answer.get("usage")
    tokens = usage.get("prompt_tokens") if isinstance(usage, dict) else None
    message = {"role": "assistant", "content": json.dumps(vector, separators=(",", ":"))}
    completion = {
        "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": tokens, "completion_tokens": 0},
    }
    return json.dumps({"model": answer.get("model")} | completion, separators=(",", ":"))


def _vector(value: object) -> list[float] | None:
    if not isinstance(value, list) or not value:
        return None
    numbers = [float(v) for v in value if isinstance(v, int | float) and not isinstance(v, bool)]
    is_whole = len(numbers) == len(value) and all(map(math.isfinite, numbers))
    return numbers if is_whole else None


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return None
