"""Lines and objects of the batch protocol, as endpoints write them and as they do not."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.teacher.batch.protocol import BatchAnswer, read_answer, read_batch, request_line

json_values = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(st.text(min_size=1), st.dictionaries(st.text(), json_values, max_size=3))
def test_request_line_is_the_object_that_was_meant(custom_id: str, body: dict[str, object]):
    line = request_line(custom_id, "/v1/chat/completions", json.dumps(body).encode())
    assert line.count(b"\n") == 1
    assert json.loads(line) == {
        "custom_id": custom_id,
        "method": "POST",
        "url": "/v1/chat/completions",
        "body": body,
    }


@given(st.binary() | json_values.map(lambda value: json.dumps(value).encode()))
def test_reading_never_raises(line: bytes):
    answer = read_answer(line)
    assert answer is None or isinstance(answer, BatchAnswer)


@given(json_values)
def test_reading_a_batch_never_raises(value: object):
    read_batch(value, "sightline")
    read_batch({"id": "b", "status": "failed", "errors": value, "request_counts": value}, "tag")


# Shapes: OpenAI API reference, "The request output object" and "Batch", as of 2026.
@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (
            {"custom_id": "r", "response": {"status_code": 200, "body": {"a": 1}}, "error": None},
            BatchAnswer("r", 200, '{"a":1}', ""),
        ),
        (
            {
                "custom_id": "r",
                "response": None,
                "error": {"code": "batch_expired", "message": "m"},
            },
            BatchAnswer("r", None, "", "batch_expired: m"),
        ),
        (
            {
                "custom_id": "r",
                "response": {"status_code": 400, "body": {"error": {"message": "m"}}},
            },
            BatchAnswer("r", 400, '{"error":{"message":"m"}}', "m"),
        ),
        ({"response": {}}, None),
    ],
)
def test_answer_lines_are_read_as_documented(line: object, expected: BatchAnswer | None):
    assert read_answer(json.dumps(line).encode()) == expected


def test_status_in_capitals_is_the_same_status():
    batch = read_batch({"id": "b", "status": "COMPLETED", "completed_at": 7}, "sightline")
    assert batch is not None
    assert batch.is_final
    assert batch.ended_s == 7.0
