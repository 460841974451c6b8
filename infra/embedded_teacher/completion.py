"""From the body of a chat completion request to the body of its response; pure.

The seed of all wording is the sha256 of the messages' text and images, the parameter `seed` and
the draw; limits and temperature do not enter, so the retry of a cut reply says the same in full.
At temperature 0 seed and draw do not matter either.
"""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from infra.embedded_teacher.misbehaviour import Misbehaviour, chance
from infra.embedded_teacher.prompt import (
    image_size,
    image_tokens,
    message_images,
    message_text,
    read_prompt,
)
from infra.embedded_teacher.writer import Mistakes, write_refusal, write_reply, write_thinking

CHARS_PER_TOKEN: Final = 4
MESSAGE_TOKENS: Final = 4
DEFAULT_MAX_TOKENS: Final = 4096
MAX_CHOICES: Final = 128


@dataclass(frozen=True, slots=True)
class Completion:
    """A response body, and the finish reason of its first choice."""

    body: bytes
    finish_reason: str


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why the request is no request."""

    status: int
    message: str
    code: str


@dataclass(frozen=True, slots=True)
class _Choice:
    content: str | None
    refusal: str | None
    thinking: str | None
    finish_reason: str

    @property
    def thinking_tokens(self) -> int:
        return _tokens(self.thinking or "")

    @property
    def tokens(self) -> int:
        return _tokens(self.content or self.refusal or "") + self.thinking_tokens


def complete(
    body: bytes, body_sha256: str, draw: str, model: str, trouble: Misbehaviour
) -> Completion | Refusal:
    """Return the response to a request body.

    Args:
        body: as received.
        body_sha256: of `body`.
        draw: which sample the client asks for; any text.
        model: the only model there is.
        trouble: which mistakes to make, and how often.
    """
    try:
        request = json.loads(body)
    except ValueError:
        return Refusal(400, "the body is not JSON", "invalid_json")
    messages = request.get("messages") if isinstance(request, dict) else None
    if not isinstance(messages, list) or not messages:
        return Refusal(400, "`messages` must be a list with at least one message", "invalid_value")
    if request.get("model") != model:
        return Refusal(404, f"the model does not exist; there is {model!r}", "model_not_found")
    sizes = [image_size(url) for url in message_images(messages)]
    if None in sizes:
        return Refusal(400, "an image cannot be read", "invalid_image")
    text = message_text(messages)
    tokens_in = _tokens(text) + MESSAGE_TOKENS * len(messages)
    tokens_in += sum(image_tokens(*size) for size in sizes if size)
    choices = _choices(request, text, _seed(request, messages, text, draw), trouble)
    return Completion(
        body=_response(body_sha256, draw, model, choices, tokens_in),
        finish_reason=choices[0].finish_reason,
    )


def _seed(
    request: dict[str, Any], messages: list[Any], text: str, draw: str
) -> Callable[[int], str]:
    """Return the seed of the n-th choice."""
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass"))
    for url in message_images(messages):
        digest.update(hashlib.sha256(url.encode("utf-8", "surrogatepass")).digest())
    base = digest.hexdigest()
    if request.get("temperature") == 0:
        return lambda number: f"{base}/{number}"
    return lambda number: f"{base}/{request.get('seed', 0)}/{draw}/{number}"


def _choices(
    request: dict[str, Any], text: str, seed_of: Callable[[int], str], trouble: Misbehaviour
) -> list[_Choice]:
    asked, prompt = request.get("n"), read_prompt(text)
    count = asked if isinstance(asked, int) and 0 < asked <= MAX_CHOICES else 1
    limit = request.get("max_completion_tokens") or request.get("max_tokens")
    max_tokens = limit if isinstance(limit, int) and limit > 0 else DEFAULT_MAX_TOKENS
    choices: list[_Choice] = []
    for seed in map(seed_of, range(count)):
        if trouble.happens("refusal_share", seed):
            choices.append(_Choice(None, write_refusal(seed), None, "stop"))
            continue
        mistakes = Mistakes(
            wrong_answer=trouble.happens("wrong_answer_share", seed),
            wrong_box=trouble.happens("wrong_box_share", seed),
            malformed=trouble.happens("malformed_share", seed),
        )
        is_empty = trouble.happens("empty_share", seed)
        content = "" if is_empty else write_reply(prompt, seed, mistakes)
        thinking = write_thinking(prompt, seed) if trouble.reasoning else None
        is_cut = trouble.happens("truncation_share", seed, str(max_tokens))
        room = int(_tokens(content) * chance(seed, "cut at")) if is_cut else max_tokens
        choices.append(_limited(content, thinking, min(room, max_tokens), is_cut=is_cut))
    return choices


def _limited(content: str, thinking: str | None, room: int, *, is_cut: bool) -> _Choice:
    """Return the choice within `room` tokens; thinking comes first and counts."""
    if not is_cut and _tokens(thinking or "") + _tokens(content) <= room:
        return _Choice(content, None, thinking, "stop")
    kept = thinking[: room * CHARS_PER_TOKEN] if thinking is not None and not is_cut else thinking
    left = room if is_cut else max(0, room - _tokens(kept or ""))
    return _Choice(content[: left * CHARS_PER_TOKEN], None, kept, "length")


def _response(
    body_sha256: str, draw: str, model: str, choices: list[_Choice], tokens_in: int
) -> bytes:
    tokens_out = sum(choice.tokens for choice in choices)
    identity = hashlib.sha256(f"{body_sha256}/{draw}".encode()).hexdigest()[:24]
    response = {
        "id": f"chatcmpl-{identity}",
        "object": "chat.completion",
        "created": 0,
        "model": model,
        "choices": [_choice_json(number, choice) for number, choice in enumerate(choices)],
        "usage": {
            "prompt_tokens": tokens_in,
            "completion_tokens": tokens_out,
            "total_tokens": tokens_in + tokens_out,
            "prompt_tokens_details": {"cached_tokens": 0},
            "completion_tokens_details": {
                "reasoning_tokens": sum(choice.thinking_tokens for choice in choices)
            },
        },
    }
    return json.dumps(response, separators=(",", ":")).encode()


def _choice_json(number: int, choice: _Choice) -> dict[str, Any]:
    message: dict[str, Any] = {
        "role": "assistant",
        "content": choice.content,
        "refusal": choice.refusal,
    }
    if choice.thinking is not None:
        message["reasoning_content"] = choice.thinking
    return {"index": number, "message": message, "finish_reason": choice.finish_reason}


def _tokens(text: str) -> int:
    return -(-len(text) // CHARS_PER_TOKEN)
