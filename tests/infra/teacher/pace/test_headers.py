"""Rate headers as the providers send them, and any other text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.teacher.pace.headers import duration_s, headroom, retry_after_s
from infra.teacher.permits import Allowance, Headroom


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("6m0s", 360.0),
        ("120ms", 0.12),
        ("1h2m3.5s", 3723.5),
        ("2m59.56s", 179.56),
        ("17", 17.0),
        ("0s", 0.0),
        ("", None),
        ("soon", None),
        ("6m0", None),
        ("-3s", None),
    ],
)
def test_duration_in_every_form(text: str, seconds: float | None):
    assert duration_s(text) == (None if seconds is None else pytest.approx(seconds))


def test_headers_of_openai():
    headers = {
        "x-ratelimit-limit-requests": "60",
        "x-ratelimit-limit-tokens": "150000",
        "x-ratelimit-remaining-requests": "59",
        "x-ratelimit-remaining-tokens": "149984",
        "x-ratelimit-reset-requests": "1s",
        "x-ratelimit-reset-tokens": "6m0s",
    }
    assert headroom(headers) == Headroom(
        Allowance(remaining=59, limit=60, reset_s=1.0),
        Allowance(remaining=149_984, limit=150_000, reset_s=360.0),
    )


def test_headers_of_azure_may_lack_limit_and_reset():
    assert headroom({"x-ratelimit-remaining-tokens": "5"}) == Headroom(None, Allowance(5.0))


@given(
    st.dictionaries(st.sampled_from(["x-ratelimit-remaining-requests", "retry-after"]), st.text())
)
def test_any_header_is_read_or_ignored(headers: dict[str, str]):
    room = headroom(headers)
    assert room is None or (room.requests is not None and room.requests.remaining >= 0)
    wait_s = retry_after_s(headers)
    assert wait_s is None or wait_s >= 0


def test_absurdly_long_header_is_ignored_at_once():
    assert duration_s("1s" * 100_000) is None
