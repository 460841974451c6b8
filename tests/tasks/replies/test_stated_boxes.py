import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sightline.boxes import Box, frac_to_px
from tasks.replies.stated_boxes import BoxProblem, Convention, Frame, StatedBox, read_box

FRAME = Frame(500, 336)
BIG = Frame(2000, 3000)


@pytest.mark.parametrize(
    ("value", "frame", "box", "convention", "ambiguous"),
    [
        ([0.1, 0.2, 0.3, 0.4], FRAME, (0.1, 0.2, 0.3, 0.4), Convention.UNIT, False),
        ([0, 0, 1, 1], FRAME, (0, 0, 1, 1), Convention.UNIT, False),
        (["0.1", "0.2", " 0.3", "0.4"], FRAME, (0.1, 0.2, 0.3, 0.4), Convention.UNIT, False),
        ([[0.1, 0.2, 0.3, 0.4]], FRAME, (0.1, 0.2, 0.3, 0.4), Convention.UNIT, False),
        ([300, 200, 700, 640], FRAME, (0.3, 0.2, 0.7, 0.64), Convention.PER_MILLE, False),
        ([100, 100, 200, 200], FRAME, (0.1, 0.1, 0.2, 0.2), Convention.PER_MILLE, True),
        ([500, 600, 1500, 2400], BIG, (0.25, 0.2, 0.75, 0.8), Convention.PIXELS, False),
    ],
)
def test_read_box_in_each_convention_gives_fractions(
    value: Any, frame: Frame, box: Box, convention: Convention, *, ambiguous: bool
):
    assert read_box(value, frame) == StatedBox(pytest.approx(box), convention, ambiguous)


def test_read_box_that_fits_both_readings_follows_the_named_convention():
    frame = Frame(500, 336, large=Convention.PIXELS)
    got = read_box([100, 84, 200, 168], frame)
    assert got == StatedBox(pytest.approx((0.2, 0.25, 0.4, 0.5)), Convention.PIXELS, ambiguous=True)


def test_read_box_beyond_the_named_pixels_is_read_as_thousandths():
    frame = Frame(500, 336, large=Convention.PIXELS)
    assert read_box([300, 200, 700, 640], frame).convention is Convention.PER_MILLE


def test_read_box_of_a_quoted_reply_agrees_with_the_pixels_its_authors_derived(real_data: Path):
    lines = (real_data / "teacher_outputs/tagged_snippets/outputs.jsonl").read_text().splitlines()
    row = next(r for r in map(json.loads, lines) if r["id"] == "qwen35_bbox_1")
    stated = json.loads(row["text"].strip("`").removeprefix("json"))[0]["bbox_2d"]
    got = read_box(stated, Frame(875, 984))
    assert got.convention is Convention.PER_MILLE
    assert frac_to_px(got.box, 875, 984) == pytest.approx(row["derived_pixel_boxes"][0], abs=1)


@pytest.mark.parametrize(
    "value",
    [
        None, 3, "0.1, 0.2, 0.3, 0.4", [], [0.1, 0.2, 0.3], [0.1, 0.2, 0.3, None],
        [0.1, 0.2, 0.3, float("nan")], [0.1, 0.2, 0.3, 10**400], [True, 0, 1, 1],
        {"x": 1}, [5000, 5000, 6000, 6000], [0, 0, 1e300, 1e300], [["a", "b", "c", "d"]],
    ],
)  # fmt: skip
def test_read_box_of_anything_else_is_a_problem(value: Any):
    assert isinstance(read_box(value, FRAME), BoxProblem)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(), inner, max_size=3),
)


@given(JSON, st.integers(1, 5000), st.integers(1, 5000), st.sampled_from(list(Convention)[1:]))
def test_read_box_of_any_json_never_raises(value: Any, width: int, height: int, large: Convention):
    assert isinstance(read_box(value, Frame(width, height, large)), StatedBox | BoxProblem)
