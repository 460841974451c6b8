"""What a chat completion request asks: its text, its images, its limits; total on any bytes.

Text is split where the model spoke: what came before is the question, and what came after asks for
another try at it.  A retry is answered like the question, so it does not change what is said.
"""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from infra.embedded_teacher.forms import is_usable
from infra.embedded_teacher.images import SentImage, lift_images, sent_image

MAX_CHOICES: Final = 128
CHARS_PER_TOKEN: Final = 4
MESSAGE_TOKENS: Final = 4


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why the request is no request."""

    status: int
    message: str
    code: str


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """One request.

    Attributes:
        model: that shall answer.
        question: all text before the model's first reply.
        afterwards: all text from there on; empty if there is no earlier reply.
        images: in their order; a model that ignores images still gets them.
        messages: how many there are.
        choices: how many replies are wanted.
        max_tokens: limit of each reply; null if the request sets none.
        temperature: null if the request sets none.
        seed: as sent, 0 if there is none.
        response_format: as sent; null if there is none.
    """

    model: str
    question: str
    afterwards: str
    images: tuple[SentImage, ...]
    messages: int
    choices: int = 1
    max_tokens: int | None = None
    temperature: float | None = None
    seed: Any = 0
    response_format: dict[str, Any] | None = None

    @property
    def is_retry(self) -> bool:
        """Return whether the model has replied before and is asked again."""
        return bool(self.afterwards)

    @property
    def text_tokens(self) -> int:
        """Return what the text counts in the prompt."""
        chars = self.question if not self.afterwards else f"{self.question}\n{self.afterwards}"
        return tokens_of(chars) + MESSAGE_TOKENS * self.messages

    @property
    def identity(self) -> str:
        """Return what the wording of the reply depends on: text and images of the question."""
        digest = hashlib.sha256(self.question.encode("utf-8", "surrogatepass"))
        for image in self.images:
            digest.update(image.sha256)
        return digest.hexdigest()


def read_chat(body: bytes) -> ChatRequest | Refusal:
    """Return what the body of a request asks, or why it asks nothing."""
    small, lifted = lift_images(body)
    try:
        request = json.loads(small)
    except (ValueError, RecursionError):
        return Refusal(400, "the body is not JSON", "invalid_json")
    messages = request.get("messages") if isinstance(request, dict) else None
    if not isinstance(messages, list) or not messages:
        return Refusal(400, "`messages` must be a list with at least one message", "invalid_value")
    images = [sent_image(url, lifted) for url in _image_urls(messages)]
    if None in images:
        return Refusal(400, "an image cannot be read", "invalid_image")
    form, count = request.get("response_format"), request.get("n")
    if not is_usable(form):
        return Refusal(400, "`response_format` has no known type or no schema", "invalid_value")
    asked = _before_reply(messages)
    limit = request.get("max_completion_tokens") or request.get("max_tokens")
    return ChatRequest(
        model=str(request.get("model")),
        question="\n".join(_texts(messages[:asked])),
        afterwards="\n".join(_texts(messages[asked:])),
        images=tuple(image for image in images if image),
        messages=len(messages),
        choices=count if isinstance(count, int) and 0 < count <= MAX_CHOICES else 1,
        max_tokens=limit if isinstance(limit, int) and limit > 0 else None,
        temperature=_number(request.get("temperature")),
        seed=request.get("seed", 0),
        response_format=form,
    )


def tokens_of(text: str) -> int:
    """Return what a text counts; a quarter of its characters, rounded up."""
    return -(-len(text) // CHARS_PER_TOKEN)


def _before_reply(messages: list[Any]) -> int:
    """Return how many messages come before the model's first reply."""
    roles = [message.get("role") if isinstance(message, dict) else None for message in messages]
    return roles.index("assistant") if "assistant" in roles[1:] else len(messages)


def _parts(messages: list[Any]) -> Iterator[dict[str, Any]]:
    for message in messages:
        content = message.get("content") if isinstance(message, dict) else None
        parts = content if isinstance(content, list) else [{"text": content}]
        yield from (part for part in parts if isinstance(part, dict))


def _texts(messages: list[Any]) -> list[str]:
    return [text for part in _parts(messages) if isinstance(text := part.get("text"), str)]


def _image_urls(messages: list[Any]) -> list[str]:
    images = [part.get("image_url") for part in _parts(messages)]
    urls = [image.get("url") if isinstance(image, dict) else image for image in images]
    return [url for url in urls if isinstance(url, str)]


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) else None
