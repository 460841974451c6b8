"""Rates and windows: what is refused when, and what the headers tell; by a clock of the test."""

import json
from dataclasses import replace
from typing import Any

import pytest

from infra.embedded_teacher.chat_request import ChatRequest, read_chat
from infra.embedded_teacher.misbehaviour import Misbehaviour
from infra.embedded_teacher.models import Models, ServedModel
from infra.embedded_teacher.rates import duration
from infra.embedded_teacher.request_log import Asked
from infra.embedded_teacher.wire import Answer
from infra.teacher.pace.headers import headroom, retry_after_s
from sightline.errors import UsageError
from tests.infra.teachers import MODEL

BODY = json.dumps({"model": MODEL, "messages": [{"role": "user", "content": "x"}]}).encode()


class Clock:
    """Time that passes when told to."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


def model_that(clock: Clock, **trouble: Any) -> ServedModel:
    return ServedModel(Misbehaviour.from_mapping(trouble), "", clock)


def request() -> ChatRequest:
    found = read_chat(BODY)
    assert isinstance(found, ChatRequest)
    return found


def refusal(model: ServedModel, **changes: Any) -> Answer | None:
    return model.refusal(replace(request(), **changes), Asked(1, "0" * 64, "", "1"))


def headers_of(answer: Answer) -> dict[str, str]:
    return {name.decode(): value.decode() for name, value in answer.headers}


def test_requests_beyond_the_rate_are_refused_until_there_is_room():
    clock = Clock()
    model = model_that(clock, requests_per_minute=60, burst_s=3)
    assert [refusal(model) for _ in range(3)] == [None] * 3
    refused = refusal(model)
    assert refused is not None
    assert refused.status == 429
    assert retry_after_s(headers_of(refused)) == pytest.approx(1.0)
    clock.now_s += 1.0
    assert refusal(model) is None
    assert refusal(model) is not None


def test_tokens_count_the_prompt_or_the_limit_of_the_reply():
    clock = Clock()
    model = model_that(clock, tokens_per_minute=600)
    assert refusal(model, max_tokens=500) is None
    assert refusal(model, max_tokens=101) is not None
    assert refusal(model, max_tokens=None) is None
    clock.now_s += 60
    assert refusal(model, max_tokens=10_000) is None


def test_headers_tell_both_rates_in_the_form_clients_read():
    model = model_that(Clock(), requests_per_minute=120, tokens_per_minute=6000)
    assert refusal(model, max_tokens=1500) is None
    room = headroom(headers_of(model.answer(request(), Asked(1, "0" * 64, "", "1"))))
    assert room is not None
    assert room.requests is not None
    assert room.tokens is not None
    assert (room.requests.remaining, room.requests.limit) == (119, 120)
    assert (room.tokens.remaining, room.tokens.reset_s) == (4500, pytest.approx(15.0))


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0ms"), (0.1201, "121ms"), (1.5, "1.5s"), (360, "6m0s")]
)
def test_durations_are_written_as_headers_write_them(seconds: float, text: str):
    assert duration(seconds) == text


@pytest.mark.parametrize(("window", "status"), [("throttle_window", 429), ("outage_window", 503)])
def test_windows_open_and_close_after_the_first_request(window: str, status: int):
    clock = Clock()
    model = model_that(clock, **{window: [2, 4]})
    found = []
    for _ in range(6):
        refused = refusal(model)
        found.append(refused.status if refused else None)
        clock.now_s += 1.0
    assert found == [None, None, status, status, None, None]


def test_each_model_has_its_own_limits_and_suffixes_are_models():
    models = Models(MODEL, Misbehaviour(requests_per_minute=1), {"b": Misbehaviour()}, Clock())
    own, suffixed, other = (models.get(name) for name in (MODEL, f"{MODEL}-x", "b"))
    assert own is not None
    assert suffixed is not None
    assert other is not None
    assert [refusal(own), refusal(suffixed), refusal(other)] == [None] * 3
    assert refusal(own) is not None
    assert refusal(other) is None
    assert models.get("c") is None


@pytest.mark.parametrize(
    "values", [{"requests_per_minute": 0}, {"burst_s": -1}, {"thinking": "loud"}]
)
def test_rate_that_means_nothing_is_refused(values: dict[str, Any]):
    with pytest.raises(UsageError):
        Misbehaviour.from_mapping(values)
