"""What response headers say about pace: how long to wait, and what is left of each rate.

Total on any input: a header that cannot be read counts as absent.  The forms are OpenAI's and
Azure's (`x-ratelimit-remaining-requests: 59`, `x-ratelimit-reset-requests: 6m0s`), Groq's, which
are spelt alike and count requests per day, and plain seconds, as gateways before vLLM send them.
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final

from infra.teacher.permits import Allowance, Headroom

PREFIX: Final = "x-ratelimit-"
_UNITS_S: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_PART: Final = re.compile(r"(\d{1,9}(?:\.\d{1,9})?)(ms|s|m|h|d)")
_DURATION: Final = re.compile(rf"(?:{_PART.pattern}){{1,5}}")
_MAX_CHARS: Final = 64
_MAX_NUMBER: Final = 1e12


def retry_after_s(headers: Mapping[str, str], now: datetime | None = None) -> float | None:
    """Return the wait the endpoint asks for, from `retry-after-ms` or `retry-after`.

    Args:
        headers: response headers, names in lower case.
        now: the time against which a date is read; the clock if null.
    """
    milliseconds = _number(headers.get("retry-after-ms"))
    if milliseconds is not None:
        return milliseconds / 1000.0
    value = headers.get("retry-after")
    seconds = _number(value)
    if seconds is not None or value is None:
        return seconds
    try:
        until = parsedate_to_datetime(value)
    except ValueError:
        return None
    until = until if until.tzinfo else until.replace(tzinfo=UTC)
    return max(0.0, (until - (now or datetime.now(UTC))).total_seconds())


def headroom(headers: Mapping[str, str]) -> Headroom | None:
    """Return what is left of both rates, null if the headers say nothing of either."""
    requests, tokens = _allowance(headers, "requests"), _allowance(headers, "tokens")
    return Headroom(requests, tokens) if requests or tokens else None


def duration_s(value: str | None) -> float | None:
    """Return the seconds in `6m0s`, `120ms` or `1.5`, null if it is no duration."""
    plain = _number(value)
    if plain is not None or value is None or len(value) > _MAX_CHARS:
        return plain
    if not _DURATION.fullmatch(value.strip()):
        return None
    return sum(float(number) * _UNITS_S[unit] for number, unit in _PART.findall(value))


def _allowance(headers: Mapping[str, str], what: str) -> Allowance | None:
    remaining = _number(headers.get(f"{PREFIX}remaining-{what}"))
    if remaining is None:
        return None
    limit = _number(headers.get(f"{PREFIX}limit-{what}"))
    return Allowance(remaining, limit, duration_s(headers.get(f"{PREFIX}reset-{what}")))


def _number(value: str | None) -> float | None:
    if value is None or len(value) > _MAX_CHARS:
        return None
    try:
        number = float(value)
    except ValueError:
        return None
    return number if 0 <= number <= _MAX_NUMBER else None
