"""Request identity: what changes the key, what does not, and what goes over the wire."""

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.teacher.types import ImagePart, Request, Turn
from sightline.errors import UsageError
from tests.infra.teachers import image_part

JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**9), 10**9) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=8,
)
NAMES = st.text(st.characters(categories=["Ll"]), min_size=1, max_size=6).map("x_{}".format)
PARAMETERS = st.dictionaries(NAMES, JSON_VALUES, max_size=4)
BASE = Request("m", "be brief", ("hi", image_part(b"one")), {"temperature": 0.5}, "p", "s")


def reordered(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: reordered(value[key]) for key in reversed(list(value))}
    return [reordered(item) for item in value] if isinstance(value, list) else value


@given(PARAMETERS)
def test_request_key_does_not_depend_on_dict_order(parameters: dict[str, Any]):
    first = replace(BASE, parameters=parameters)
    second = replace(BASE, parameters=reordered(parameters))
    assert first.request_key == second.request_key


@pytest.mark.parametrize(
    "change",
    [
        {"model": "n"},
        {"system": None},
        {"system": "be long"},
        {"content": ("hi",)},
        {"content": (image_part(b"one"), "hi")},
        {"content": ("hi", image_part(b"two"))},
        {"content": ("ho", image_part(b"one"))},
        {"parameters": {}},
        {"parameters": {"temperature": 0.6}},
        {"turns": (Turn("bad", "again"),)},
    ],
)
def test_request_key_depends_on_every_part_of_the_question(change: dict[str, Any]):
    assert replace(BASE, **change).request_key != BASE.request_key


@pytest.mark.parametrize("change", [{"prompt_id": "q"}, {"subject_id": "t"}, {"draw": 3}])
def test_request_key_does_not_depend_on_who_asks(change: dict[str, Any]):
    assert replace(BASE, **change).request_key == BASE.request_key


@given(PARAMETERS, PARAMETERS)
def test_different_parameters_have_different_keys(one: dict[str, Any], two: dict[str, Any]):
    same_key = (
        replace(BASE, parameters=one).request_key == replace(BASE, parameters=two).request_key
    )
    assert same_key == (json.dumps(one, sort_keys=True) == json.dumps(two, sort_keys=True))


def test_request_key_of_a_known_request_never_changes():
    known = Request("m", None, ("hi", image_part(b"one")), {"max_tokens": 5}, "p", "s")
    assert known.request_key == "43f86d17d364e8472684d17df5ad7a6cf1965d53a99aca275d599f1152d4d3e6"


def test_stored_request_holds_no_image_bytes():
    assert "base64" not in BASE.request_json
    assert image_part(b"one").image_id in BASE.request_json


def test_wire_body_holds_the_image_as_data_url():
    body = json.loads(BASE.wire_body())
    assert body["messages"][1]["content"][1]["image_url"]["url"] == "data:image/png;base64,b25l"
    assert body["temperature"] == 0.5


def test_wire_body_with_a_draw_moves_the_seed_on():
    drawn = replace(BASE, parameters={"seed": 7}, draw=2)
    assert json.loads(drawn.wire_body())["seed"] == 9
    assert "seed" not in json.loads(replace(BASE, draw=2).wire_body())


def test_image_with_a_false_id_is_refused_before_it_is_sent():
    lying = replace(BASE, content=(ImagePart("0" * 64, b"one", "image/png"),))
    with pytest.raises(UsageError, match="not the sha256"):
        lying.wire_body()


@pytest.mark.parametrize(
    "parameters", [{"n": 2}, {"stream": True}, {"x": float("nan")}, {"x": {1}}]
)
def test_parameters_that_cannot_be_honoured_are_refused(parameters: dict[str, Any]):
    with pytest.raises(UsageError):
        _ = replace(BASE, parameters=parameters).request_key


def test_longer_reply_doubles_the_limit_that_is_set():
    limited = replace(BASE, parameters={"max_completion_tokens": 50})
    longer = limited.with_longer_reply()
    assert longer is not None
    assert longer.parameters == {"max_completion_tokens": 100}
    assert BASE.with_longer_reply() is None


def test_repr_shows_no_image_bytes():
    assert "b'" not in repr(image_part(b"secret pixels"))


def test_text_with_half_a_surrogate_pair_has_a_storable_form():
    broken = replace(BASE, content=("\ud83d",))
    assert json.loads(broken.request_json.encode())["messages"][1]["content"][0]["text"] == "\ud83d"


def test_wire_body_with_turns_continues_the_conversation():
    messages = json.loads(replace(BASE, turns=(Turn("bad", "again"),)).wire_body())["messages"]
    assert [m["role"] for m in messages] == ["system", "user", "assistant", "user"]
    assert [m["content"] for m in messages[2:]] == ["bad", "again"]
