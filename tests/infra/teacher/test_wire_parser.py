"""Back from an HTTP body to the request: the key of what we send, and no key for what we do not."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.teacher.types import ImagePart, Request, Turn
from infra.teacher.wire_parser import request_of_body
from sightline.errors import UsageError
from tests.infra.teachers import image_part

TEXT = st.text(max_size=20)
IMAGES = st.builds(image_part, st.binary(max_size=20), st.sampled_from(["image/png", "image/jpeg"]))
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.floats(-2, 2) | TEXT,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(TEXT, inner, max_size=2),
    max_leaves=4,
)
NAMES = st.text("abcdefgh_", min_size=1, max_size=8)
REQUESTS = st.builds(
    Request,
    model=TEXT,
    system=st.none() | TEXT,
    content=st.lists(TEXT | IMAGES, max_size=4).map(tuple),
    parameters=st.dictionaries(NAMES, JSON, max_size=3),
    prompt_id=st.just("p"),
    subject_id=st.just("s"),
    turns=st.lists(st.builds(Turn, TEXT, TEXT), max_size=2).map(tuple),
)


@given(REQUESTS)
def test_request_read_back_from_its_wire_body_has_the_same_key(request: Request):
    body = json.loads(request.wire_body())
    found = request_of_body(body, subject_id="other", prompt_id="other")
    assert found.request_json == request.request_json
    assert found.wire_body() == request.wire_body()


def body(**changes: Any) -> dict[str, Any]:
    return {"model": "m", "messages": [{"role": "user", "content": "hi"}]} | changes


def user(content: Any) -> dict[str, Any]:
    return body(messages=[{"role": "user", "content": content}])


def test_bare_text_is_one_text_part():
    found = request_of_body(user("hi"), subject_id="s", prompt_id="p")
    parts = request_of_body(user([{"type": "text", "text": "hi"}]), subject_id="s", prompt_id="p")
    assert found == parts


def test_parameters_that_ask_for_nothing_are_dropped():
    found = request_of_body(body(n=1, stream=False, seed=3), subject_id="s", prompt_id="p")
    assert found.parameters == {"seed": 3}


@pytest.mark.parametrize(
    ("asked", "reason"),
    [
        ({}, "model"),
        (body(messages=[]), "user message"),
        (body(n=2), r"\['n'\]"),
        (body(messages=[{"role": "developer", "content": "x"}]), "role"),
        (body(messages=[{"role": "user", "content": "a", "name": "b"}]), "name"),
        (body(messages=[*body()["messages"], {"role": "assistant", "content": "a"}]), "after"),
        (user(3), "int"),
        (user([{"type": "input_audio"}]), "input_audio|type"),
        (user([{"type": "image_url", "image_url": {"url": "https://a/b.png"}}]), "data URL"),
        (user([{"type": "image_url", "image_url": {"url": "data:image/png;base64,*"}}]), "base64"),
        (
            user(
                [
                    {
                        "type": "image_url",
                        "image_url": {"url": "data:image/png;base64,", "detail": "low"},
                    }
                ]
            ),
            "alone",
        ),
    ],
)
def test_request_of_another_kind_is_refused(asked: dict[str, Any], reason: str):
    with pytest.raises(UsageError, match=reason):
        request_of_body(asked, subject_id="s", prompt_id="p")


def test_image_is_known_by_its_bytes_whatever_its_media_type():
    def key(part: ImagePart) -> str:
        asked = Request("m", None, (part,), {}, "p", "s")
        return request_of_body(
            json.loads(asked.wire_body()), subject_id="s", prompt_id="p"
        ).request_key

    assert key(image_part(b"x", "image/png")) == key(image_part(b"x", "image/webp"))
