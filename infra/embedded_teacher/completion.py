"""From a chat completion request to the body of its response; pure.

The seed of all wording is the sha256 of the question's text and images, the parameter `seed` and
the draw; limits, temperature and repair turns do not enter, so the retry of a cut or unreadable
reply says the same in full.  At temperature 0 seed and draw do not matter either.  Every model but
the server's own has its name in the seed: two models differ as two people would.
"""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from infra.embedded_teacher.chat_request import CHARS_PER_TOKEN, ChatRequest, tokens_of
from infra.embedded_teacher.forms import conform, schema_of, wants_json
from infra.embedded_teacher.misbehaviour import Misbehaviour, chance
from infra.embedded_teacher.prompt import read_prompt
from infra.embedded_teacher.request_log import Asked
from infra.embedded_teacher.writer import (
    Mistakes,
    reply_fields,
    write_refusal,
    write_reply,
    write_thinking,
)
from infra.teacher.probe_image import QUESTION, SQUARES

DEFAULT_MAX_TOKENS: Final = 4096
BLIND_GUESS: Final = "red"
"""Said of all squares by who sees none: at most one is right, whatever the picture."""


@dataclass(frozen=True, slots=True)
class Completion:
    """A response body, and the finish reason of its first choice."""

    body: bytes
    finish_reason: str


@dataclass(frozen=True, slots=True)
class _Choice:
    content: str | None
    refusal: str | None
    thinking: str | None
    finish_reason: str

    @property
    def thinking_tokens(self) -> int:
        return tokens_of(self.thinking or "")

    @property
    def tokens(self) -> int:
        return tokens_of(self.content or self.refusal or "") + self.thinking_tokens


def complete(request: ChatRequest, asked: Asked, trouble: Misbehaviour, voice: str) -> Completion:
    """Return the response to a request.

    Args:
        request: what is asked.
        asked: how it came in.
        trouble: which mistakes to make, and how often.
        voice: which of the server's models speaks; empty for its own.
    """
    seed_of = _seed(request, asked.draw, voice)
    choices = [_choice(request, seed_of(n), trouble) for n in range(request.choices)]
    return Completion(
        body=_response(request, asked, choices, prompt_tokens(request, trouble)),
        finish_reason=choices[0].finish_reason,
    )


def prompt_tokens(request: ChatRequest, trouble: Misbehaviour) -> int:
    """Return what the prompt counts; images that are ignored count nothing."""
    images = 0 if trouble.blind else sum(image.tokens for image in request.images)
    return request.text_tokens + images


def _seed(request: ChatRequest, draw: str, voice: str) -> Callable[[int], str]:
    """Return the seed of the n-th choice."""
    base = f"{request.identity}/{voice}" if voice else request.identity
    if request.temperature == 0:
        return lambda number: f"{base}/{number}"
    return lambda number: f"{base}/{request.seed}/{draw}/{number}"


def _choice(request: ChatRequest, seed: str, trouble: Misbehaviour) -> _Choice:
    max_tokens = request.max_tokens or DEFAULT_MAX_TOKENS
    if request.images and QUESTION in request.question:
        return _limited(_colours(request, trouble), None, max_tokens, is_cut=False)
    if trouble.happens("refusal_share", seed):
        return _Choice(None, write_refusal(seed), None, "stop")
    thinking = write_thinking(read_prompt(request.question), seed)
    is_empty = trouble.happens("empty_share", seed)
    content, apart = _thought(
        "" if is_empty else _content(request, seed, trouble), thinking, trouble
    )
    is_cut = trouble.happens("truncation_share", seed, str(max_tokens))
    room = int(tokens_of(content) * chance(seed, "cut at")) if is_cut else max_tokens
    return _limited(content, apart, min(room, max_tokens), is_cut=is_cut)


def _content(request: ChatRequest, seed: str, trouble: Misbehaviour) -> str:
    """Return the reply; one that must be JSON is never malformed, and keeps to its schema."""
    prompt, form = read_prompt(request.question), request.response_format
    is_bound = trouble.structured and wants_json(form)
    malformed = "malformed_again_share" if request.is_retry else "malformed_share"
    mistakes = Mistakes(
        wrong_answer=trouble.happens("wrong_answer_share", seed),
        wrong_box=trouble.happens("wrong_box_share", seed),
        malformed=not is_bound and trouble.happens(malformed, seed),
    )
    schema = schema_of(form) if is_bound else None
    if schema is None:
        return write_reply(prompt, seed, mistakes)
    return json.dumps(conform(reply_fields(prompt, seed, mistakes), schema), ensure_ascii=False)


def _colours(request: ChatRequest, trouble: Misbehaviour) -> str:
    """Return the answer to the probe: what the pixels say, or one guess for all squares."""
    seen = [BLIND_GUESS] * SQUARES if trouble.blind else request.images[0].colours_in_row()
    return ", ".join(seen)


def _thought(content: str, thinking: str, trouble: Misbehaviour) -> tuple[str, str | None]:
    """Return (content, thinking apart) in the form that this model thinks in."""
    match trouble.thinking:
        case "field":
            return content, thinking
        case "tags":
            return f"<think>\n{thinking}\n</think>\n\n{content}", None
        case "kimi":
            return f"◁think▷{thinking}◁/think▷{content}", None
        case "none":
            return content, None


def _limited(content: str, thinking: str | None, room: int, *, is_cut: bool) -> _Choice:
    """Return the choice within `room` tokens; thinking comes first and counts."""
    if not is_cut and tokens_of(thinking or "") + tokens_of(content) <= room:
        return _Choice(content, None, thinking, "stop")
    kept = thinking[: room * CHARS_PER_TOKEN] if thinking is not None and not is_cut else thinking
    left = room if is_cut else max(0, room - tokens_of(kept or ""))
    return _Choice(content[: left * CHARS_PER_TOKEN], None, kept, "length")


def _response(request: ChatRequest, asked: Asked, choices: list[_Choice], tokens_in: int) -> bytes:
    tokens_out = sum(choice.tokens for choice in choices)
    identity = hashlib.sha256(f"{asked.body_sha256}/{asked.draw}".encode()).hexdigest()[:24]
    response = {
        "id": f"chatcmpl-{identity}",
        "object": "chat.completion",
        "created": 0,
        "model": request.model,
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
