"""Replies: outcome rules, thinking apart, tokens, and totality."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.teacher.prices import Usage
from infra.teacher.reply import error_code, error_message, read_reply
from sightline.outcomes import Outcome


def body(message: dict[str, Any], finish: str | None = "stop", **more: Any) -> str:
    return json.dumps({"choices": [{"message": message, "finish_reason": finish}]} | more)


@pytest.mark.parametrize(
    ("message", "finish", "outcome"),
    [
        ({"content": "yes"}, "stop", Outcome.SUCCESS),
        ({"content": "yes"}, None, Outcome.SUCCESS),
        ({"content": "ye"}, "length", Outcome.TRUNCATED),
        ({"content": ""}, "length", Outcome.TRUNCATED),
        ({"content": "<think>and so"}, "length", Outcome.TRUNCATED),
        ({"content": None}, "stop", Outcome.EMPTY),
        ({"content": " \n"}, "stop", Outcome.EMPTY),
        ({"content": "<think>hm</think>"}, "stop", Outcome.EMPTY),
        ({"content": None, "refusal": "no"}, "stop", Outcome.REFUSED),
        ({"content": "ye"}, "content_filter", Outcome.REFUSED),
        ({"content": [{"type": "text", "text": "yes"}]}, "stop", Outcome.SUCCESS),
    ],
)
def test_outcome_follows_the_reply(message: dict[str, Any], finish: str | None, outcome: Outcome):
    reply = read_reply(body(message, finish))
    assert reply is not None
    assert reply.outcome is outcome


@pytest.mark.parametrize("field", ["reasoning_content", "reasoning"])
def test_thinking_in_its_own_field_is_found(field: str):
    reply = read_reply(body({"content": "yes", field: "because"}))
    assert reply is not None
    assert (reply.text, reply.thinking, reply.raw_text) == ("yes", "because", "yes")


def test_usage_is_read_with_reasoning_and_cached_tokens():
    usage = {
        "prompt_tokens": 10,
        "completion_tokens": 7,
        "completion_tokens_details": {"reasoning_tokens": 4},
        "prompt_tokens_details": {"cached_tokens": 3},
    }
    reply = read_reply(body({"content": "yes"}, usage=usage))
    assert reply is not None
    assert reply.usage == Usage(10, 7, 4, 3)


@pytest.mark.parametrize(
    "text", ["", "<html>", "[]", "null", '{"error": {"message": "x"}}', '{"choices": []}']
)
def test_body_that_is_no_completion_is_none(text: str):
    assert read_reply(text) is None


@given(st.text(max_size=30) | st.recursive(
    st.none() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
        st.sampled_from(["choices", "message", "content", "usage", "refusal", "reasoning",
                         "prompt_tokens", "error", "code"]), inner),
).map(json.dumps))  # fmt: skip
def test_reading_never_raises(text: str):
    read_reply(text)
    assert isinstance(error_message(text) + error_code(text), str)


def test_error_body_gives_message_and_code():
    text = '{"error": {"message": "bad image", "code": "invalid_image"}}'
    assert (error_message(text), error_code(text)) == ("bad image", "invalid_image")


def test_reply_cut_inside_an_emoji_can_be_stored():
    reply = read_reply(body({"content": "yes \ud83d"}))
    assert reply is not None
    assert reply.text.encode() == b"yes ?"
