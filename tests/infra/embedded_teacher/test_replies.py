"""Replies as requests get them: what is seen, forms, turns, thinking, voices, second asks."""

import base64
import hashlib
import io
import json
import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from infra.embedded_teacher.chat_request import ChatRequest, Refusal, read_chat
from infra.embedded_teacher.completion import complete
from infra.embedded_teacher.forms import conform
from infra.embedded_teacher.misbehaviour import Misbehaviour
from infra.embedded_teacher.request_log import Asked
from infra.teacher.probe import colours_right
from infra.teacher.probe_image import QUESTION, choose_colours, render
from tests.infra.teachers import MODEL, PROMPT

FINAL = PROMPT.format(task="final")
FORM = {"type": "object", "properties": {"answer": {"type": "string"}, "score": {"type": "number"}}}


def colours_of(number: int) -> tuple[str, ...]:
    return choose_colours(random.Random(number))  # noqa: S311 - which picture, not a secret


def user(text: str, *images: str) -> dict[str, Any]:
    shown = [{"type": "image_url", "image_url": {"url": url}} for url in images]
    return {"role": "user", "content": [{"type": "text", "text": text}, *shown]}


def data_url(data: bytes) -> str:
    return f"data:image/png;base64,{base64.b64encode(data).decode()}"


def request_of(*messages: dict[str, Any], **fields: object) -> ChatRequest:
    body = json.dumps({"model": MODEL, "messages": messages} | fields).encode()
    found = read_chat(body)
    assert isinstance(found, ChatRequest), found
    return found


def reply_to(
    request: ChatRequest, *, draw: int = 0, voice: str = "", **trouble: Any
) -> dict[str, Any]:
    asked = Asked(1, "0" * 64, f"key/{draw}", "1")
    made = complete(request, asked, Misbehaviour.from_mapping(trouble), voice)
    parsed: dict[str, Any] = json.loads(made.body)
    return parsed


def said(request: ChatRequest, **how: Any) -> str:
    text: str = reply_to(request, **how)["choices"][0]["message"]["content"]
    return text


def fields_of(request: ChatRequest, **how: Any) -> dict[str, Any]:
    fields: dict[str, Any] = json.loads(said(request, **how))
    return fields


@pytest.mark.parametrize("quality", [None, 80])
def test_squares_of_the_probe_are_seen(quality: int | None):
    for number in range(20):
        colours = colours_of(number)
        data = render(colours)
        if quality:
            recoded = io.BytesIO()
            Image.open(io.BytesIO(data)).save(recoded, "JPEG", quality=quality)
            data = recoded.getvalue()
        request = request_of(user(QUESTION, data_url(data)))
        assert colours_right(said(request), colours) == 4


def test_blind_teacher_sees_nothing_and_counts_no_image():
    colours = colours_of(1)
    request = request_of(user(QUESTION, data_url(render(colours))))
    reply = reply_to(request, blind=True)
    assert colours_right(reply["choices"][0]["message"]["content"], colours) < 3
    assert reply["usage"]["prompt_tokens"] <= len(QUESTION) / 3
    assert reply_to(request)["usage"]["prompt_tokens"] > 255


def test_image_is_told_from_another_and_from_text_that_looks_like_one():
    urls = [data_url(render(colours_of(n))) for n in range(2)]
    first, second = (request_of(user("Task: zoom", url)) for url in urls)
    quoted = request_of(user("Task: zoom"), user(urls[0]))
    assert len({first.identity, second.identity, quoted.identity}) == 3
    assert first.images[0].sha256 == hashlib.sha256(urls[0].encode()).digest()
    assert (first.images[0].width, quoted.images) == (256, ())


@pytest.mark.parametrize(
    "url",
    ["http://h/a.png", "data:image/png;base64,", "data:image/png;base64,AAAA", "data:lifted,"],
)
def test_image_that_cannot_be_read_is_refused(url: str):
    body = json.dumps({"model": MODEL, "messages": [user("x", url)]}).encode()
    assert read_chat(body) == Refusal(400, "an image cannot be read", "invalid_image")


def test_schema_is_required_where_it_is_announced():
    body = {"model": MODEL, "messages": [user("x")], "response_format": {"type": "json_schema"}}
    found = read_chat(json.dumps(body).encode())
    assert isinstance(found, Refusal)
    assert found.status == 400


@given(st.binary() | st.text().map(lambda text: f'{{"messages":["data:image/{text}"'.encode()))
def test_reading_a_request_never_raises(body: bytes):
    read_chat(body)


def test_repair_turn_gets_the_same_reply_well_formed():
    first = request_of(user(FINAL))
    broken = said(first, malformed_share=1.0)
    with pytest.raises(ValueError, match=r".+"):
        json.loads(broken)
    turns = ({"role": "assistant", "content": broken}, user("It could not be read. Task: zoom"))
    again = request_of(user(FINAL), *turns)
    assert fields_of(again, malformed_share=1.0) == fields_of(first)
    with pytest.raises(ValueError, match=r".+"):
        json.loads(said(again, malformed_again_share=1.0))


@pytest.mark.parametrize("kind", ["json_object", "json_schema"])
def test_structured_output_is_never_malformed(kind: str):
    form = {"type": kind, "json_schema": {"name": "reply", "schema": FORM}}
    request = request_of(user(FINAL), response_format=form)
    fields = fields_of(request, malformed_share=1.0)
    expected = {"answer", "score"} if kind == "json_schema" else {"answer", "reasoning"}
    assert set(fields) == expected
    assert fields["answer"] == "2"


def test_endpoint_without_structured_output_ignores_the_form():
    form = {"type": "json_schema", "json_schema": {"name": "reply", "schema": FORM}}
    request = request_of(user(FINAL), response_format=form)
    assert set(fields_of(request, structured=False)) == {"answer", "reasoning"}


@pytest.mark.parametrize(
    ("value", "schema", "expected"),
    [
        ("a", {"enum": ["b", "c"]}, "b"),
        ("c", {"enum": ["b", "c"]}, "c"),
        (2, {"type": "string"}, "2"),
        (None, {"type": ["integer", "null"]}, None),
        (True, {"type": "integer"}, 0),
        ([1], {"type": "array", "items": {"type": "number"}, "minItems": 3}, [1, 0.0, 0.0]),
        ({"x": 1}, {"anyOf": [{"const": 7}, {"type": "null"}]}, 7),
        ({}, {"$ref": "#/$defs/P", "$defs": {"P": {"type": "boolean"}}}, False),
    ],
)
def test_value_takes_the_form_of_its_schema(value: Any, schema: dict[str, Any], expected: Any):
    assert conform(value, schema) == expected


@pytest.mark.parametrize("thinking", ["none", "field", "tags", "kimi"])
def test_thinking_stands_where_such_models_put_it(thinking: str):
    message = reply_to(request_of(user(FINAL)), thinking=thinking)["choices"][0]["message"]
    opening = {"tags": "<think>", "kimi": "◁think▷"}.get(thinking, "{")
    assert message["content"].startswith(opening)
    assert ("reasoning_content" in message) == (thinking == "field")


def test_draws_and_voices_differ_and_repeat_themselves():
    request = request_of(user(PROMPT.format(task="zoom")), temperature=1.0)
    drawn = [said(request, draw=n) for n in range(8)]
    assert len(set(drawn)) > 1
    assert drawn == [said(request, draw=n) for n in range(8)]
    assert len({said(request, voice=voice) for voice in ("", "b", "c", "d")}) > 1
    cold = request_of(user(FINAL), temperature=0)
    assert len({said(cold, draw=n) for n in range(8)}) == 1


def test_wrong_answers_come_per_draw():
    request = request_of(user(FINAL), temperature=1.0)
    answers = [fields_of(request, draw=n, wrong_answer_share=0.5)["answer"] for n in range(60)]
    assert 15 < answers.count("2") < 45


def judged(given: str, **how: Any) -> float:
    text = f"Question: q\nReference answer: red\nGiven answer: {given}\nReasoning 1: r\nTask: judge"
    score: float = fields_of(request_of(user(text)), **how)["score"]
    return score


def test_judge_scores_by_the_answer():
    assert judged("Red.") >= 0.8
    assert judged("blue") <= 0.2
    assert judged("blue", wrong_answer_share=1.0) >= 0.8


def test_rewriter_rewords_and_keeps_answer_and_citations():
    citation = "red cube ([0.10,0.20,0.30,0.45], depth 0.83)"
    text = (
        f"Question: q\nGiven answer: red\nReasoning 1: I see {citation}.\n"
        "Reasoning 2: So the answer is red.\nTask: rewrite"
    )
    fields = fields_of(request_of(user(text)))
    assert fields["reasoning"] == [f"In view there is {citation}.", "Hence the answer is red."]
    assert fields["answer"] == "red"
    changed = fields_of(request_of(user(text)), wrong_answer_share=1.0)
    assert changed["answer"] != "red"
    assert changed["reasoning"][1].endswith(f"{changed['answer']}.")


@pytest.mark.parametrize(
    ("question", "guesses"),
    [
        ("Is the cube nearer?", {"yes", "no"}),
        ("How many cubes are there?", {"1", "2", "3", "4"}),
        ("Which one?\nChoices: (A) red (B) blue", {"A", "B"}),
        ("Which is nearer, the cube or the ball?", {"cube", "ball"}),
        ("Who?", {"unknown"}),
    ],
)
def test_who_does_not_see_guesses_what_is_asked_for(question: str, guesses: set[str]):
    asked = [request_of(user(f"Question: {question}\nTask: blind"), seed=n) for n in range(60)]
    assert {fields_of(request)["answer"] for request in asked} == guesses
