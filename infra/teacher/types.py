"""What is asked of a teacher and what comes back: plain values, free of any client library.

A request's identity is its canonical form: endpoint class, model, messages with images as the
sha256 of their bytes, parameters.  Addresses, keys, prompt ids and subject ids are not identity:
the same question asked for another sample or through another gateway is the same paid call.
Images become data URLs only when a call is sent, and only for as long as it takes.
"""

import base64
import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, Protocol

from infra.ledger.row import CallKey
from sightline.errors import UsageError
from sightline.ids import canonical_json
from sightline.outcomes import Outcome

ENDPOINT_CLASS: Final = "chat_completions"
"""The kind of endpoint; the only one this client speaks."""

RESERVED: Final = frozenset({"model", "messages", "stream", "n"})
"""Parameters the client sets itself; several answers are draws, each its own paid call."""

TOKEN_LIMITS: Final = ("max_completion_tokens", "max_tokens")


@dataclass(frozen=True, slots=True)
class ImagePart:
    """An image in a message; `image_id` is the sha256 of `data` and stands for it in the key."""

    image_id: str
    data: bytes
    media_type: str

    def __repr__(self) -> str:
        return f"ImagePart({self.image_id[:12]}, {len(self.data)} bytes, {self.media_type})"


@dataclass(frozen=True, slots=True)
class Turn:
    """A reply of the model that goes back to it, and what is said to that."""

    reply: str
    text: str


@dataclass(frozen=True, slots=True)
class Request:
    """One question to a model; `draw` tells repeated samples of it apart.

    Attributes:
        model: as the endpoint names it.
        system: the system message, if any.
        content: the first user message: texts and images in their order.
        parameters: further parameters of the call; JSON values.
        prompt_id: sha256 of the prompt template; not identity.
        subject_id: what is asked about; not identity.
        draw: which of the samples of one request.
        turns: what was said after the first message, such as a request to repair a reply.
        step: for which step, in the ledger; null is the engine's own; not identity.
    """

    model: str
    system: str | None
    content: tuple[str | ImagePart, ...]
    parameters: Mapping[str, Any]
    prompt_id: str
    subject_id: str
    draw: int = 0
    turns: tuple[Turn, ...] = ()
    step: str | None = None

    @property
    def request_json(self) -> str:
        """Return the canonical request, images as sha256.

        Raises:
            UsageError: a parameter is reserved or has no stable JSON form.
        """
        reserved = sorted(RESERVED & set(self.parameters))
        if reserved:
            msg = f"parameters {reserved} are set by the client; use `draw` for several answers"
            raise UsageError(msg)
        content = [
            {"type": "text", "text": part}
            if isinstance(part, str)
            else {"type": "image", "sha256": part.image_id}
            for part in self.content
        ]
        try:
            text = canonical_json(
                {
                    "endpoint_class": ENDPOINT_CLASS,
                    "model": self.model,
                    "messages": self._messages(content),
                    "parameters": dict(self.parameters),
                }
            )
        except (TypeError, ValueError) as exc:
            msg = f"parameters must be plain finite JSON values: {exc}"
            raise UsageError(msg) from exc
        # Half a surrogate pair has no UTF-8 form; its JSON escape means the same and has one.
        return text.encode("utf-8", "backslashreplace").decode("utf-8")

    @property
    def request_key(self) -> str:
        """Return the sha256 of the canonical request: 64 hex characters."""
        return self.key_of(self.request_json)

    @staticmethod
    def key_of(request_json: str) -> str:
        """Return the sha256 of a canonical request."""
        return hashlib.sha256(request_json.encode("utf-8")).hexdigest()

    @property
    def call_key(self) -> CallKey:
        """Return what makes two calls the same call."""
        return (self.request_key, self.draw)

    @property
    def images(self) -> Iterator[ImagePart]:
        """Yield the images of the message, in order."""
        return (part for part in self.content if isinstance(part, ImagePart))

    @property
    def text_bytes(self) -> int:
        """Return the length of all text in UTF-8."""
        texts = [self.system or "", *(part for part in self.content if isinstance(part, str))]
        texts += [text for turn in self.turns for text in (turn.reply, turn.text)]
        return sum(len(text.encode("utf-8", "surrogatepass")) for text in texts)

    @property
    def max_tokens(self) -> int | None:
        """Return the limit on the reply, null if the request sets none."""
        limits = [self.parameters[name] for name in TOKEN_LIMITS if name in self.parameters]
        return int(limits[0]) if limits else None

    def with_longer_reply(self) -> "Request | None":
        """Return the request with twice the room for the reply, null if it sets no limit."""
        names = [name for name in TOKEN_LIMITS if name in self.parameters]
        if not names:
            return None
        longer = {name: int(self.parameters[name]) * 2 for name in names}
        return replace(self, parameters=dict(self.parameters) | longer)

    def wire_body(self, url_of: Callable[[ImagePart], str] | None = None) -> bytes:
        """Return the HTTP body, images as data URLs.

        A seed moves on by `draw`: an endpoint that honours seeds would repeat itself otherwise.

        Args:
            url_of: gives an image's URL, if it is another than its data URL.

        Raises:
            UsageError: an image's id is not the sha256 of its bytes, so the key would lie.
        """
        content: list[dict[str, Any]] = [
            {"type": "text", "text": part}
            if isinstance(part, str)
            else {"type": "image_url", "image_url": {"url": (url_of or data_url)(part)}}
            for part in self.content
        ]
        parameters = dict(self.parameters)
        if self.draw and isinstance(parameters.get("seed"), int):
            parameters["seed"] += self.draw
        body = {"model": self.model, "messages": self._messages(content)} | parameters
        return json.dumps(body, separators=(",", ":")).encode()

    def _messages(self, content: list[dict[str, Any]]) -> list[dict[str, Any]]:
        system = [] if self.system is None else [{"role": "system", "content": self.system}]
        later = [
            message
            for turn in self.turns
            for message in (
                {"role": "assistant", "content": turn.reply},
                {"role": "user", "content": turn.text},
            )
        ]
        return [*system, {"role": "user", "content": content}, *later]


def data_url(image: ImagePart) -> str:
    """Return the image as a `data:` URL.

    Raises:
        UsageError: its id is not the sha256 of its bytes, so the key would lie.
    """
    if hashlib.sha256(image.data).hexdigest() != image.image_id:
        msg = f"image {image.image_id!r} is not the sha256 of its {len(image.data)} bytes"
        raise UsageError(msg)
    return f"data:{image.media_type};base64,{base64.b64encode(image.data).decode('ascii')}"


@dataclass(frozen=True, slots=True)
class Response:
    """What became of a request.

    Attributes:
        request_key: the call whose answer this is; after a truncated first answer, the longer one.
        draw: which sample of the request.
        text: the reply without thinking.
        thinking: reasoning the model returned apart, null if none.
        raw_text: the reply, verbatim.
        outcome: never `malformed` or `skipped`; whoever parses the text decides that.
        finish_reason: as the endpoint said.
        tokens_in: prompt tokens billed.
        tokens_out: completion tokens billed, reasoning included.
        tokens_reasoning: reasoning tokens within them.
        cost_usd: price of this call when it was bought; null if its model has none listed.
        latency_ms: wall time of the call when it was bought.
        reused: whether it was in the ledger, or being bought by someone else, already.
        detail: why the outcome is `error`; null otherwise.
        may_succeed: whether an `error` was an outage, not the endpoint's refusal of this request.
        cut_first: the truncated answer that this longer one replaces; a call of its own, paid too.
    """

    request_key: str
    draw: int
    text: str
    thinking: str | None
    raw_text: str
    outcome: Outcome
    finish_reason: str | None
    tokens_in: int | None
    tokens_out: int | None
    tokens_reasoning: int | None
    cost_usd: float | None
    latency_ms: float | None
    reused: bool
    detail: str | None = None
    may_succeed: bool = False
    cut_first: "Response | None" = None


class Asker(Protocol):
    """Whatever answers requests: the live teacher, or recorded answers in a test."""

    async def ask(self, request: Request) -> Response:
        """Return what became of `request`."""
        ...
