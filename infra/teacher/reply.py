"""From the body of a chat completion to text, thinking, tokens and outcome; total on any input.

Everything here is recomputed from the stored body, so a re-run of old calls follows the newest
rules.  Order of the outcome rules matters: a refusal may also be cut, and a reply that spent its
whole limit on thinking is truncated, not empty.
"""

import json
from dataclasses import dataclass
from typing import Any, Final

from infra.ledger.row import CallKey, LedgerRow
from infra.teacher.prices import Usage
from infra.teacher.types import Response
from sightline.errors import clip_detail
from sightline.outcomes import Outcome
from sightline.thinking import split_thinking

MAX_TOKENS: Final = 2**40
"""A count beyond this is no count; it would not fit its column."""
FILTER_CODES: Final = frozenset({"content_filter", "content_policy_violation"})
"""Error codes that mean "refused", not "malformed request" (Azure, OpenAI)."""
HTTP_OK: Final = 200
THINKING_FIELDS: Final = ("reasoning_content", "reasoning")
"""vLLM, SGLang and DeepSeek; OpenRouter and newer vLLM."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What a chat completion says."""

    text: str
    thinking: str | None
    raw_text: str
    outcome: Outcome
    finish_reason: str | None
    usage: Usage


def completion_in(status: int, body: str) -> Reply | None:
    """Return the completion in an HTTP answer, null if there is none.

    A prompt that a filter refused is one: free, and an answer for good.
    """
    if status == HTTP_OK:
        return read_reply(body)
    if error_code(body) in FILTER_CODES:
        return Reply("", None, "", Outcome.REFUSED, "content_filter", Usage(0, 0))
    return None


def read_reply(body: str) -> Reply | None:
    """Return the reply in a response body, null if the body is no chat completion.

    Gateways answer 200 with an HTML page or `{"error": ...}`; neither is a completion.
    """
    parsed = _object(_parse(body))
    choices = parsed.get("choices")
    if not isinstance(choices, list) or (not choices and "usage" not in parsed):
        return None
    choice = _object(choices[0] if choices else None)
    message = _object(choice.get("message"))
    raw_text = _text_of(message.get("content"))
    apart = next((t for f in THINKING_FIELDS if (t := _text_of(message.get(f)))), None)
    inline, text = split_thinking(raw_text)
    finish_reason = choice.get("finish_reason")
    finish = finish_reason if isinstance(finish_reason, str) else None
    refusal = _text_of(message.get("refusal"))
    return Reply(
        text=text,
        thinking="\n".join(t for t in (apart, inline) if t) or None,
        raw_text=raw_text or refusal,
        outcome=_outcome(text, refusal, finish),
        finish_reason=finish,
        usage=_usage(_object(parsed.get("usage"))),
    )


def response_of(row: LedgerRow, *, reused: bool) -> Response:
    """Return the response a paid call gives, now or years later."""
    reply = read_reply(row.response_json)
    return Response(
        request_key=row.request_key,
        draw=row.draw,
        text=reply.text if reply else "",
        thinking=reply.thinking if reply else None,
        raw_text=reply.raw_text if reply else "",
        outcome=reply.outcome if reply else row.outcome,
        finish_reason=row.finish_reason,
        tokens_in=row.tokens_in,
        tokens_out=row.tokens_out,
        tokens_reasoning=row.tokens_reasoning,
        cost_usd=row.cost_usd,
        latency_ms=row.latency_ms,
        reused=reused,
    )


def response_without(key: CallKey, detail: str) -> Response:
    """Return the response of a call that has no answer, and why."""
    return Response(
        request_key=key[0],
        draw=key[1],
        text="",
        thinking=None,
        raw_text="",
        outcome=Outcome.ERROR,
        finish_reason=None,
        tokens_in=None,
        tokens_out=None,
        tokens_reasoning=None,
        cost_usd=None,
        latency_ms=None,
        reused=False,
        detail=clip_detail(detail),
    )


def error_message(body: str) -> str:
    """Return what an error body says, shortened; empty if it says nothing readable."""
    error = _object(_parse(body)).get("error")
    message = _object(error).get("message") if isinstance(error, dict) else error
    return message[:300] if isinstance(message, str) else ""


def error_code(body: str) -> str:
    """Return the machine-readable code of an error body; empty if it has none."""
    code = _object(_object(_parse(body)).get("error")).get("code")
    return code if isinstance(code, str) else ""


def _outcome(text: str, refusal: str, finish_reason: str | None) -> Outcome:
    if refusal or finish_reason == "content_filter":
        return Outcome.REFUSED
    if finish_reason == "length":
        return Outcome.TRUNCATED
    return Outcome.SUCCESS if text.strip() else Outcome.EMPTY


def _usage(usage: dict[str, Any]) -> Usage:
    return Usage(
        tokens_in=_count(usage.get("prompt_tokens")),
        tokens_out=_count(usage.get("completion_tokens")),
        tokens_reasoning=_count(
            _object(usage.get("completion_tokens_details")).get("reasoning_tokens")
        ),
        tokens_cached=_count(_object(usage.get("prompt_tokens_details")).get("cached_tokens")),
    )


def _count(value: Any) -> int | None:
    is_count = isinstance(value, int) and not isinstance(value, bool)
    return value if is_count and 0 <= value <= MAX_TOKENS else None


def _text_of(content: Any) -> str:
    """Return text given as a string or as a list of text parts.

    A reply cut inside an emoji ends in half a surrogate pair, which no table can store.
    """
    if isinstance(content, list):
        return "".join(_text_of(_object(part).get("text")) for part in content)
    return content.encode("utf-8", "replace").decode() if isinstance(content, str) else ""


def _object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _parse(body: str) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None
