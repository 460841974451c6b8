"""Whether an endpoint sees pictures: found out once, before an answer with a picture is bought."""

import logging
import random
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.ledger.ledger import Ledger
from infra.teacher.client import Request
from infra.teacher.probe import STEP, colours_right, question
from infra.teacher.probe_image import choose_colours, nearest_name, render
from sightline.errors import TeacherError
from sightline.outcomes import Outcome
from sightline.schemas import LEDGER
from tests.infra.teachers import ask_for, image_part, server_that, teacher_at

PICTURE = image_part(render(("red", "red", "blue", "blue")))


def with_picture(number: int, **parameters: object) -> Request:
    request = ask_for(number, **parameters)
    return replace(request, content=(*request.content, PICTURE))


def steps(ledger: Ledger) -> list[str]:
    ledger.flush()
    return sorted(ledger._lake.read(LEDGER).column("step").to_pylist())


def test_endpoint_that_sees_is_asked_once_and_the_probe_is_in_the_ledger(tmp_path: Path):
    with server_that() as server, teacher_at(server.base_url, tmp_path, probe=True) as (t, ledger):
        futures = [t.submit(with_picture(number)) for number in range(12)]
        assert {future.result(30).outcome for future in futures} == {Outcome.SUCCESS}
        assert steps(ledger) == ["distill"] * 12 + [STEP]
        assert t.stats.calls == 13


def test_blind_endpoint_stops_the_run_before_anything_else_is_bought(tmp_path: Path):
    with (
        server_that(blind=True) as server,
        teacher_at(server.base_url, tmp_path, probe=True, max_in_flight=2) as (teacher, ledger),
    ):
        futures = [teacher.submit(with_picture(number)) for number in range(6)]
        errors = [future.exception(30) for future in futures]
        assert all(isinstance(error, TeacherError) for error in errors)
        assert "ignores images: shown squares in" in str(errors[0])
        assert "prompt tokens, no more than the words alone take" in str(errors[0])
        assert steps(ledger) == [STEP]


def test_calls_without_a_picture_need_no_probe(tmp_path: Path):
    with (
        server_that(blind=True) as server,
        teacher_at(server.base_url, tmp_path, probe=True) as (
            teacher,
            ledger,
        ),
    ):
        assert teacher.ask_sync(ask_for(1)).outcome is Outcome.SUCCESS
        assert steps(ledger) == ["distill"]


def test_probe_that_proves_nothing_is_asked_twice_and_then_only_warned_about(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    caplog.set_level(logging.WARNING)
    with (
        server_that() as server,
        teacher_at(server.base_url, tmp_path, probe=True, retry_truncated=False) as (
            teacher,
            ledger,
        ),
    ):
        assert teacher.ask_sync(with_picture(1, max_tokens=2)).outcome is Outcome.TRUNCATED
        assert steps(ledger) == ["distill", STEP, STEP]
    assert "could not find out whether" in caplog.text


def test_probe_takes_over_what_the_endpoint_may_insist_on():
    call = with_picture(1, max_tokens=500, temperature=0.5, response_format={"type": "json_object"})
    asked = question(("red", "blue", "green", "black"), call)
    assert asked.parameters == {"max_tokens": 500, "temperature": 0.5}
    assert (asked.step, asked.subject_id) == (STEP, STEP)


@given(st.integers(0, 2**32))
def test_colours_are_read_back_from_the_picture(seed: int):
    from io import BytesIO

    from PIL import Image

    names = choose_colours(random.Random(seed))  # noqa: S311
    image = Image.open(BytesIO(render(names))).convert("RGB")
    assert image.size == (256, 64)
    seen = [nearest_name(image.getpixel((32 + 64 * n, 32))) for n in range(4)]  # type: ignore[arg-type]
    assert tuple(seen) == names


@pytest.mark.parametrize(
    ("reply", "right"),
    [
        ("red, green, blue, black", 4),
        ("Red. Green. Blue. Purple.", 3),
        ("1. **red** 2. **green** 3. **blue** 4. **black**", 4),
        ("Of red, green, blue, yellow, black, white I see: red green blue black", 4),
        ("The first is white... red green blue black", 4),
        ("I cannot see an image", 0),
        ("", 0),
        ("reddish greenery", 0),
    ],
)
def test_colours_right_counts_places(reply: str, right: int):
    assert colours_right(reply, ("red", "green", "blue", "black")) == right
