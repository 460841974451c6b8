"""Bytes that are sent: the same as a JSON library writes, however often a picture is used."""

import json
from base64 import b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.teacher.client import ImagePart, Request
from infra.teacher.types import Turn
from infra.teacher.wire import BodyWriter, Call
from sightline.errors import UsageError
from tests.infra.teachers import image_part

PARTS = st.lists(
    st.one_of(st.text(max_size=20), st.binary(min_size=1, max_size=40).map(image_part)), max_size=6
)


def request(*content: str | ImagePart, **parameters: object) -> Request:
    return Request("m", "be brief", content, parameters, "p", "s", turns=(Turn("so", "again"),))


@given(st.lists(PARTS, min_size=1, max_size=4), st.sampled_from([1, 100, 10_000]))
def test_body_is_the_canonical_wire_body(messages: list[list[str | ImagePart]], room: int):
    writer = BodyWriter(cache_bytes=room)
    for content in [*messages, *messages]:
        asked = request(*content, temperature=0.5)
        assert writer.body(asked) == asked.wire_body()


def test_picture_used_twice_stands_twice():
    picture = image_part(b"pixels", "image/jpeg")
    body = json.loads(BodyWriter().body(request("left", picture, "right", picture)))
    url = f"data:image/jpeg;base64,{b64encode(b'pixels').decode()}"
    content = body["messages"][1]["content"]
    assert [part["type"] for part in content] == ["text", "image_url", "text", "image_url"]
    assert content[1]["image_url"]["url"] == content[3]["image_url"]["url"] == url


def test_picture_whose_id_is_not_its_hash_is_never_sent():
    with pytest.raises(UsageError, match="is not the sha256 of its 6 bytes"):
        BodyWriter().body(request(ImagePart("0" * 64, b"pixels", "image/png")))


def test_call_holds_what_the_request_says_of_itself():
    asked = request("text", image_part(b"pixels"), max_tokens=5)
    call = Call.of(asked)
    assert (call.request_json, call.key) == (asked.request_json, asked.call_key)
