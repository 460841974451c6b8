"""Box arithmetic: the public conventions, views, and agreement with the SQL macros."""

import math

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sightline.boxes import (
    FULL_VIEW,
    Box,
    area,
    as_box,
    clip,
    contains,
    frac_to_px,
    from_view,
    intersection_area,
    iou,
    px_to_frac,
    px_to_square_frac,
    square_frac_to_px,
    to_view,
    union,
)
from sightline.reader import run_scripts, sql_files

fractions = st.floats(0, 1)
sides = st.integers(1, 5000)


@st.composite
def boxes(draw: st.DrawFn) -> Box:
    x0, x1 = sorted((draw(fractions), draw(fractions)))
    y0, y1 = sorted((draw(fractions), draw(fractions)))
    return (x0, y0, x1, y1)


views = boxes().filter(lambda box: box[2] - box[0] > 0.01 and box[3] - box[1] > 0.01)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([0, 0.5, 1, 2], (0.0, 0.5, 1.0, 2.0)),
        ((1, 2, 3, 4), (1.0, 2.0, 3.0, 4.0)),
        ([3, 3, 1, 1], (3.0, 3.0, 1.0, 1.0)),
        ("1234", None),
        ([1, 2, 3], None),
        ([1, 2, 3, 4, 5], None),
        ([1, 2, 3, "4"], None),
        ([1, 2, 3, None], None),
        ([1, 2, 3, True], None),
        ([1, 2, 3, math.nan], None),
        ([1, 2, 3, math.inf], None),
        ([[1], 2, 3, 4], None),
    ],
)
def test_as_box_takes_four_finite_numbers_only(values: list[object], expected: Box | None) -> None:
    assert as_box(values) == expected


def test_area_of_a_turned_box_is_zero() -> None:
    assert area((0.5, 0.5, 0.1, 0.1)) == 0
    assert area((0.0, 0.0, 0.5, 0.5)) == 0.25


@given(st.lists(boxes(), min_size=1, max_size=5))
def test_union_holds_every_box_and_no_more(found: list[Box]) -> None:
    whole = union(found)
    assert all(contains(whole, box, slack=0) for box in found)
    assert all(any(whole[side] == box[side] for box in found) for side in range(4))


def test_union_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="no boxes"):
        union([])


@given(boxes(), boxes())
def test_iou_is_symmetric_and_between_0_and_1(a: Box, b: Box) -> None:
    assert iou(a, b) == iou(b, a)
    assert 0 <= iou(a, b) <= 1 + 1e-9
    assert intersection_area(a, b) <= min(area(a), area(b)) + 1e-12


@given(views)
def test_iou_with_itself_is_1(box: Box) -> None:
    assert iou(box, box) == pytest.approx(1)


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        ((0, 0, 2, 2), (1, 1, 3, 3), 1 / 7),
        ((0, 0, 1, 1), (1, 0, 2, 1), 0),
        ((0, 0, 1, 1), (5, 5, 6, 6), 0),
        ((0, 0, 0, 0), (0, 0, 0, 0), 0),
        ((0, 0, 4, 1), (0, 0, 1, 1), 0.25),
    ],
)
def test_iou_of_known_boxes(a: Box, b: Box, expected: float) -> None:
    assert iou(a, b) == pytest.approx(expected)


@given(st.lists(st.tuples(boxes(), boxes()), min_size=20, max_size=20))
@settings(max_examples=5, deadline=None)
def test_sql_iou_agrees_with_python(pairs: list[tuple[Box, Box]]) -> None:
    with duckdb.connect() as connection:
        run_scripts(connection, [f for f in sql_files("macros") if f.name == "iou.sql"])
        query = "select box_iou(pair[1], pair[2]) from (select unnest($1::double[][][]) as pair)"
        found = connection.execute(query, [[[list(a), list(b)] for a, b in pairs]]).fetchall()
    assert [row[0] for row in found] == pytest.approx([iou(a, b) for a, b in pairs], abs=1e-12)


def test_sql_iou_of_an_absent_box_is_null() -> None:
    with duckdb.connect() as connection:
        run_scripts(connection, [f for f in sql_files("macros") if f.name == "iou.sql"])
        found = connection.execute(
            "select box_iou(null::double[], [0.0, 0.0, 1.0, 1.0])"
        ).fetchall()
    assert found == [(None,)]


@given(st.tuples(*[st.floats(-2, 2)] * 4))
def test_clip_ends_inside_the_frame(box: Box) -> None:
    assert contains(FULL_VIEW, clip(box), slack=0)
    assert clip(clip(box)) == clip(box)


def test_clip_keeps_pixels_in_the_image() -> None:
    assert clip((-5, 2, 700, 300), 640, 200) == (0, 2, 640, 200)


@given(boxes(), sides, sides)
def test_pixels_and_fractions_are_inverse(box: Box, width: int, height: int) -> None:
    back = px_to_frac(frac_to_px(box, width, height), width, height)
    assert back == pytest.approx(box, abs=1e-9)


@given(boxes(), sides, sides)
def test_padded_square_and_pixels_are_inverse(box: Box, width: int, height: int) -> None:
    back = px_to_square_frac(square_frac_to_px(box, width, height), width, height)
    assert back == pytest.approx(box, abs=1e-9)


def test_padded_square_follows_visual_cot() -> None:
    """arXiv:2403.16999 pads to the longer side; here 100 px above and below."""
    assert square_frac_to_px((0.0, 0.25, 1.0, 0.75), 400, 200) == (0, 0, 400, 200)
    assert px_to_square_frac((0, 0, 400, 200), 400, 200) == (0.0, 0.25, 1.0, 0.75)
    assert square_frac_to_px((0.5, 0.0, 0.75, 1.0), 101, 300) == (51, 0, 126, 300)


@given(boxes(), views)
def test_view_and_original_are_inverse(box: Box, view: Box) -> None:
    assert from_view(to_view(box, view), view) == pytest.approx(box, abs=1e-9)


@given(boxes(), views)
def test_box_in_a_view_stays_in_the_view_on_the_original(box: Box, view: Box) -> None:
    assert contains(view, from_view(box, view))


@given(boxes())
def test_full_view_changes_nothing(box: Box) -> None:
    assert from_view(box, FULL_VIEW) == pytest.approx(box)
    assert to_view(box, FULL_VIEW) == box


def test_view_without_area_is_refused() -> None:
    with pytest.raises(ValueError, match="must have an area"):
        to_view(FULL_VIEW, (0.5, 0.5, 0.5, 0.9))
