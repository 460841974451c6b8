"""What a response says of its call, as columns of `generations`."""

from typing import Any

from infra.teacher.types import Response
from sightline.storable import storable


def reply_columns(response: Response) -> dict[str, Any]:
    """Return the columns that do not depend on what was asked."""
    return {
        "request_key": response.request_key,
        "draw": response.draw,
        "raw_text": storable(response.raw_text),
        "thinking": None if response.thinking is None else storable(response.thinking),
        "answer_text": storable(response.text),
        "outcome": response.outcome.value,
        "finish_reason": response.finish_reason,
        "tokens_in": response.tokens_in,
        "tokens_out": response.tokens_out,
        "tokens_reasoning": response.tokens_reasoning,
        "cost_usd": response.cost_usd,
        "latency_ms": response.latency_ms,
    }
