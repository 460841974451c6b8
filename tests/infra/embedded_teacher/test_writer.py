"""The writer: correct by the prompt's own data, wrong only when told, the same every time."""

import json
from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.embedded_teacher.answers import answer, wrong_answer
from infra.embedded_teacher.images import image_tokens
from infra.embedded_teacher.prompt import Prompt, read_prompt
from infra.embedded_teacher.writer import Mistakes, write_reply
from sightline.boxes import Box, area, as_box, contains, from_view, to_view
from tests.infra.teachers import PROMPT

ZOOM = read_prompt(PROMPT.format(task="zoom"))
FINE = Mistakes()
COORDINATE = st.floats(0, 0.9)


def roi_of(prompt: Prompt, seed: str, mistakes: Mistakes = FINE) -> list[float]:
    roi: list[float] = json.loads(write_reply(prompt, seed, mistakes))["roi"]
    return roi


def test_prompt_is_read_line_by_line():
    prompt = read_prompt(PROMPT.format(task="single") + "\nChoices: (A) red (B) dark blue")
    assert prompt.task == "single"
    assert prompt.question == "How many red cubes are there?"
    assert prompt.choices == (("A", "red"), ("B", "dark blue"))
    assert (prompt.reference, prompt.target) == ("2", (0.2, 0.3, 0.4, 0.5))
    assert prompt.objects[0].cited == "red cube ([0.10,0.20,0.30,0.45], depth 0.83)"
    assert prompt.round == 1


def test_question_that_quotes_a_label_does_not_change_the_task():
    assert read_prompt("Question: what?\nTask: zoom\nTask: final").task == "final"


@given(st.text())
def test_reading_a_prompt_never_raises(text: str):
    read_prompt(f"Target region: [{text}]\n- 1. {text} [{text}] depth {text}\n{text}")


@given(st.tuples(COORDINATE, COORDINATE, st.floats(0.001, 0.5), st.floats(0.001, 0.5)), st.text())
def test_zoom_region_holds_the_target_and_stays_in_view(corner: Box, seed: str):
    x, y, width, height = corner
    target = (x, y, min(1.0, x + width), min(1.0, y + height))
    roi = as_box(roi_of(replace(ZOOM, target=target), seed))
    assert roi is not None
    assert contains(roi, target)
    assert contains((0, 0, 1, 1), roi, slack=0)


def test_zoom_chains_need_one_two_or_three_rounds():
    rounds = Counter(rounds_of((0.4, 0.4, 0.55, 0.5), f"sample {n}") for n in range(400))
    assert set(rounds) == {1, 2, 3}
    assert min(rounds.values()) >= 10


def rounds_of(truth: Box, seed: str) -> int:
    view: Box = (0.0, 0.0, 1.0, 1.0)
    for number in (1, 2):
        target = to_view(truth, view)
        roi = as_box(roi_of(replace(ZOOM, target=target), f"{seed} {number}"))
        assert roi is not None
        if area(roi) <= 2 * area(target):
            return number
        view = from_view(roi, view)
    return 3


def test_wrong_boxes_come_in_three_kinds():
    kinds = Counter()
    for number in range(60):
        roi = roi_of(ZOOM, str(number), Mistakes(wrong_box=True))
        if max(roi) > 1:
            kinds["0..1000"] += 1
        elif roi[0] == roi[2]:
            kinds["no size"] += 1
        else:
            assert not contains((roi[0], roi[1], roi[2], roi[3]), ZOOM.target or (0, 0, 1, 1))
            kinds["off target"] += 1
    assert set(kinds) == {"0..1000", "no size", "off target"}


def test_zoom_without_target_looks_at_the_middle():
    assert roi_of(replace(ZOOM, target=None), "s") == [0.25, 0.25, 0.75, 0.75]


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ("How many red cubes are there?", "2"),
        ("How many spheres are there?", "1"),
        ("How many objects are there?", "3"),
        ("What color is the sphere?", "blue"),
        ("What colour is the cube?", "red"),
        ("Who owns the sphere?", "unknown"),
    ],
)
def test_answer_without_reference_is_read_off_the_objects(question: str, expected: str):
    assert answer(replace(ZOOM, question=question, reference=None)) == expected


@pytest.mark.parametrize(
    "right", ["2", "yes", "No", "red", "red cube", "12/03/2018", "three", "Acme Ltd", "left", "B"]
)
def test_wrong_answer_is_never_the_right_one(right: str):
    for number in range(20):
        assert wrong_answer(right, ZOOM, str(number)).lower() != right.lower()


def test_wrong_answer_to_a_choice_is_another_choice():
    prompt = replace(ZOOM, choices=(("A", "red"), ("B", "blue"), ("C", "green")))
    assert {wrong_answer("A", prompt, str(n)) for n in range(30)} == {"B", "C"}
    assert {wrong_answer("red", prompt, str(n)) for n in range(30)} == {"blue", "green"}


@pytest.mark.parametrize("task", ["zoom", "final", "single"])
def test_reply_has_the_keys_of_its_task(task: str):
    expected = {
        "zoom": {"description", "roi", "reasoning"},
        "final": {"reasoning", "answer"},
        "single": {"description", "reasoning", "answer"},
    }
    reply = write_reply(read_prompt(PROMPT.format(task=task)), "s", FINE)
    assert set(json.loads(reply)) == expected[task]


def test_relation_says_the_nearer_object_is_nearer():
    prompt = replace(ZOOM, question="Is the red cube before the blue sphere?")
    assert "The red cube is nearer than the blue sphere." in write_reply(prompt, "s", FINE)


def test_malformed_reply_is_no_json():
    for number in range(50):
        with pytest.raises(ValueError, match=r".+"):
            json.loads(write_reply(ZOOM, str(number), Mistakes(malformed=True)))


@pytest.mark.parametrize(
    ("size", "tokens"), [((512, 512), 255), ((640, 480), 425), ((2048, 4096), 1105), ((1, 1), 255)]
)
def test_image_tokens_follow_the_tile_rule(size: tuple[int, int], tokens: int):
    """2048 x 4096 gives 1,105 in OpenAI's vision guide; the others by hand."""
    assert image_tokens(*size) == tokens
