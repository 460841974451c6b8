import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sightline.storable import storable
from tasks.distill.parse import (
    FinalReply,
    Malformed,
    ZoomReply,
    parse_final,
    parse_zoom,
)
from tasks.replies.json_objects import last_object
from tasks.replies.object_tuples import Cite, cites_in
from tasks.replies.parsed import Grammar
from tasks.replies.round_json import FIELDS
from tasks.replies.stated_boxes import BoxProblem, Convention, Frame, StatedBox

FRAME = Frame(640, 480)
GOOD = '{"description": "d", "roi": [0.1, 0.2, 0.3, 0.4], "reasoning": "r"}'


@pytest.mark.parametrize(
    "text",
    [
        GOOD,
        f"```json\n{GOOD}\n```",
        f"Sure! Here is the JSON you asked for:\n{GOOD}\nLet me know.",
        GOOD.replace("0.4]", "0.4,]").replace('"r"}', '"r",}'),
        GOOD.replace("[0.1, 0.2, 0.3, 0.4]", "[100, 200, 300, 400]"),
        f'<think>maybe {{"roi": [0, 0, 1, 1]}}</think>{GOOD}',
        f'still thinking {{"roi": [0, 0, 1, 1]}}</think>\n{GOOD}',
        f'{{"roi": [0, 0, 1, 1]}} is a draft. {GOOD}',
        f'{{"result": {GOOD}}}',
        GOOD.replace("description", "Description").replace('"roi"', '"RoI"'),
        GOOD.replace('"d"', '"d"\n').replace('"r"', '"r"'),
        "\\frac{a}{b} " * 300 + GOOD,
    ],
)
def test_parse_zoom_of_a_good_reply_in_any_wrapping_reads_its_fields(text: str):
    reply = parse_zoom(text, FRAME)
    assert isinstance(reply, ZoomReply)
    assert (reply.description, reply.reasoning) == ("d", "r")
    assert reply.roi.box == pytest.approx((0.1, 0.2, 0.3, 0.4))


@pytest.mark.parametrize("text", ["", "no object", GOOD[:-1], '{"answer": "a"}', "[1, 2]", "{}"])
def test_parse_zoom_of_a_reply_without_the_object_is_malformed(text: str):
    assert isinstance(parse_zoom(text, FRAME), Malformed)


def test_parse_zoom_without_a_region_reports_the_region():
    reply = parse_zoom('{"description": "d", "reasoning": "r"}', FRAME)
    assert reply.roi == BoxProblem("no roi is stated")


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ('{"reasoning": "r", "answer": "four"}', "four"),
        ('{"reasoning": "r", "answer": 4}', "4"),
        ('{"reasoning": "r", "answer": true}', "yes"),
        ("<Think>r</Think><Answer>four</Answer>", "four"),
        ("<think>\nr\n</think>\n<answer> four </answer>", "four"),
        ("r\n### Answer: four", "four"),
        ("r\n### Answer: three\nno.\n### answer: four\n", "four"),
        ('r </think> {"reasoning": "r", "answer": "four"}', "four"),
    ],
)
def test_parse_final_in_each_form_reads_reasoning_and_answer(text: str, answer: str):
    reply = parse_final(text)
    assert isinstance(reply, FinalReply)
    assert reply.answer == answer
    assert reply.reasoning.startswith("r")


@pytest.mark.parametrize(
    "text",
    [
        "", "four", '{"answer": "four"}', '{"reasoning": "r", "answer": null}',
        '{"reasoning": "r", "answer": ["four"]}', "<answer>four</answer>",
        "<think>r <answer>four</answer>", "<think>r</think><answer>fo",
        '{"reasoning": "r", "answer": "fo',
    ],
)  # fmt: skip
def test_parse_final_without_reasoning_or_answer_is_malformed(text: str):
    assert isinstance(parse_final(text), Malformed)


def test_parse_final_by_a_named_grammar_reads_no_other_form():
    text = "It is red. The answer is (C)."
    assert isinstance(parse_final(text), Malformed)
    assert parse_final(text, Grammar.OPTION_LETTER).answer == "C"
    assert isinstance(parse_final('{"reasoning": "r", "answer": "a"}', Grammar.BOXED), Malformed)


def test_parse_zoom_of_several_regions_takes_the_last():
    text = "<bbox>[0, 0, 1, 1]</bbox> or rather <bbox>[0.1, 0.2, 0.3, 0.4]</bbox>"
    assert parse_zoom(text, FRAME).roi.box == pytest.approx((0.1, 0.2, 0.3, 0.4))


def test_last_object_keeps_commas_and_braces_inside_texts():
    text = '{"answer": "a, } ,]", "roi": [1, 2,],}'
    assert last_object(text, FIELDS) == {"answer": "a, } ,]", "roi": [1, 2]}


def test_cites_in_a_text_reads_name_box_and_depth():
    text = (
        "The red cube ([0.1, 0.2, 0.3, 0.4], depth 0.83) stands left of ball([100,200,300,400], 51)"
        " and a lamp ([0.5, 0.5, 0.6, 0.6]). Not cited: ([1, 2]), f([x, y, z, w]), (see [3])."
        " Wrong: mug ([0.1, 0.2, 0.3, 0.4, 0.5], 0.2), cup ([0.1, 0.2, 0.3, 0.4], depth 900)"
    )
    cites = cites_in(text, FRAME)
    unit = StatedBox(pytest.approx((0.1, 0.2, 0.3, 0.4)), Convention.UNIT)
    assert cites[0] == Cite("The red cube", unit, 0.83)
    assert cites[1].name == "left of ball"
    assert cites[1].box.box == pytest.approx((0.1, 0.2, 0.3, 0.4))
    assert cites[1].depth == pytest.approx(0.2)
    assert cites[2].depth is None
    assert [isinstance(cite.box, BoxProblem) for cite in cites] == [False] * 3 + [True] * 2


@pytest.mark.parametrize(
    "text",
    [
        "{" * 100_000,
        '{"a":' * 50_000,
        '{"roi":[' * 50_000,
        '"\\"' * 30_000 + ",}",
        "([" * 50_000,
        "(" + " " * 100_000,
        "([1,1,1" * 20_000,
        "<think>" * 20_000,
        "</think>" * 20_000,
        "<answer>" * 20_000,
        "### answer:" * 10_000,
        "#" * 100_000,
        '{"roi": ' + "[" * 900 + "]" * 900 + "}",
        '{"roi": [0, 0, 0, 1' + "0" * 5000 + "]}",
    ],
)
def test_parsers_on_hostile_text_stay_quick(text: str):
    started = time.process_time()
    parse_zoom(text, FRAME)
    parse_final(text)
    cites_in(text, FRAME)
    assert time.process_time() - started < 5


FRAGMENTS = st.sampled_from(
    [
        "{", "}", "[", "]", '"', "\\", ",", ":", "```", "<think>", "</think>", "<answer>",
        "</answer>", "### Answer: ", '"roi"', '"answer"', '"reasoning"', "0.5", "1e999", "NaN",
        "([0.1,0.2,0.3,0.4], depth 0.5)", "\n", "\ud800", "\x00", "null", GOOD,
    ]
)  # fmt: skip


@given(st.lists(FRAGMENTS | st.text(max_size=5), max_size=30).map("".join))
def test_parsers_on_any_text_return_typed_storable_values(text: str):
    zoom, final = parse_zoom(text, FRAME), parse_final(text)
    assert isinstance(zoom, ZoomReply | Malformed)
    assert isinstance(final, FinalReply | Malformed)
    for value in (zoom.thinking, getattr(final, "answer", None), getattr(final, "reasoning", None)):
        assert value is None or value.encode()
    for cite in cites_in(text, FRAME):
        cite.name.encode()
        assert cite.depth is None or 0 <= cite.depth <= 1


@given(st.text(), st.text(min_size=1).filter(str.strip), st.text())
def test_parse_final_of_any_encoded_answer_reads_it_back(before: str, answer: str, after: str):
    answer = storable(answer).strip()
    text = json.dumps({"reasoning": "r", "answer": answer})
    wrapped = (
        before.replace("{", "").replace("<", "") + text + after.replace("<", "").replace("{", "")
    )
    if "think" not in answer and answer:
        assert parse_final(wrapped).answer == answer


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from _texts(item)
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item)


def test_parsers_on_every_real_reply_return_typed_values(real_data: Path):
    finals = 0
    for path in sorted((real_data / "teacher_outputs").glob("*/outputs.jsonl")):
        for line in path.read_text(encoding="utf-8").splitlines():
            for text in [line, *_texts(json.loads(line))]:
                assert isinstance(parse_zoom(text, FRAME), ZoomReply | Malformed)
                finals += isinstance(parse_final(text), FinalReply)
                cites_in(text, FRAME)
    assert finals > 500


def test_parse_final_on_real_rollouts_agrees_with_the_logged_format_reward(real_data: Path):
    """The rollouts' own grader gave format=1.000 to whole think and answer tags."""
    path = real_data / "teacher_outputs" / "r1_vlm_rollouts_aokvqa" / "outputs.jsonl"
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    well_formed = [row for row in rows if "format=1.000" in row["rewards"]]
    read = [parse_final(row["completion"]) for row in well_formed]
    assert well_formed
    assert all(isinstance(reply, FinalReply) for reply in read)
