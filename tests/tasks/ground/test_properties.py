"""What must hold of ranks, flags and relations for every picture."""

from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infra.images.depth_codec import Direction
from infra.images.masks import overlap_shares
from sightline.schemas import OBJECTS, SEGMENTS
from tasks.ground.build import objects_of
from tasks.ground.relations import relations_of
from tasks.ground.rules import GroundParams
from tests.tasks.ground.layouts import layouts
from tests.tasks.ground.scenes import (
    HEIGHT,
    WIDTH,
    Rect,
    depth_map,
    mask_of,
    painted,
    segment_row,
    segments,
)

Layout = tuple[list[Rect], list[float]]
NEAR, FAR = (10, 30, 50, 70), (70, 20, 110, 60)


def built(rects: list[Rect], values: np.ndarray, **more: Any) -> pa.Table:
    return objects_of(segments([mask_of(r) for r in rects]), depth_map(values, **more)).table


def labelled(*things: tuple[np.ndarray, str]) -> pa.Table:
    return SEGMENTS.rows(
        segment_row(mask, number, "a", category)
        for number, (mask, category) in enumerate(things, 1)
    )


@settings(deadline=None, max_examples=50)
@given(layouts())
def test_ranks_follow_the_medians_and_count_from_the_nearest(layout: Layout):
    rows = built(layout[0], painted(*layout)).to_pylist()
    holds = [row for row in rows if row["depth_status"] == "ok"]
    for row in holds:
        nearer = [other for other in holds if other["depth_median"] > row["depth_median"]]
        assert row["depth_rank"] == 1 + len(nearer)
    assert all(row["depth_rank"] is None for row in rows if row["depth_status"] != "ok")


@settings(deadline=None, max_examples=50)
@given(layouts())
def test_object_in_front_of_another_has_the_smaller_rank(layout: Layout):
    objects = built(layout[0], painted(*layout))
    ranks = dict(
        zip(objects["object_id"].to_pylist(), objects["depth_rank"].to_pylist(), strict=True)
    )
    for row in relations_of(objects).to_pylist():
        if row["kind"] == "in_front_of" and row["status"] == "decided":
            assert ranks[row["subject_object_id"]] < ranks[row["object_object_id"]]


@settings(deadline=None, max_examples=50)
@given(layouts(), st.permutations(range(5)))
def test_ranks_do_not_depend_on_the_order_of_segments(layout: Layout, order: list[int]):
    rects, depths = layout
    values = painted(rects, depths)
    table = segments([mask_of(r) for r in rects])
    mixed = table.take([number for number in order if number < len(rects)])
    maps = depth_map(values)
    assert objects_of(mixed, maps).table.equals(objects_of(table, maps).table)


@settings(deadline=None, max_examples=50)
@given(layouts())
def test_depth_that_counts_the_other_way_gives_the_same_facts(layout: Layout):
    rects, depths = layout
    values = painted(rects, depths)
    values[-1, 0] = 0  # the farthest level is not at the top, so nothing is taken for sky
    nearer = built(rects, values).to_pylist()
    farther = built(rects, 20 - values, direction=Direction.LARGER_FARTHER).to_pylist()
    for one, other in zip(nearer, farther, strict=True):
        assert one["depth_status"] == other["depth_status"]
        assert one["depth_median"] == pytest.approx(other["depth_median"], abs=1e-3)


@settings(deadline=None, max_examples=50)
@given(layouts())
def test_relations_of_the_picture_upside_down_swap_above_and_below_alone(layout: Layout):
    rects, depths = layout
    values = painted(rects, depths)
    values[HEIGHT // 2, -1] = 0  # sky is looked for at the top only; here is none
    turned = [(x0, HEIGHT - y1, x1, HEIGHT - y0) for x0, y0, x1, y1 in rects]
    swap = {"above": "below", "below": "above"}
    before = facts(built(rects, values))
    after = facts(built(turned, values[::-1]))
    assert after == {(a, swap.get(kind, kind), b, status) for a, kind, b, status in before}


@settings(deadline=None, max_examples=50)
@given(layouts())
def test_relations_on_the_line_have_no_circle(layout: Layout):
    objects = built(layout[0], painted(*layout))
    behind = {
        (row["subject_object_id"], row["object_object_id"])
        for row in relations_of(objects).to_pylist()
        if row["kind"] == "in_front_of" and row["status"] == "decided"
    }
    assert not any(
        (a, b) in behind and (b, c) in behind and (c, a) in behind
        for a in range(6)
        for b in range(6)
        for c in range(6)
    )


def test_difference_of_exactly_the_margin_decides_nothing_either_way_up():
    rects: list[Rect] = [(0, 0, 10, 15), (32, 0, 42, 25)]  # centres differ by half the mean spread
    values = painted(rects, [1.0, 1.0])
    turned: list[Rect] = [(x0, HEIGHT - y1, x1, HEIGHT - y0) for x0, y0, x1, y1 in rects]
    for objects in (built(rects, values), built(turned, values[::-1])):
        vertical = {fact for fact in facts(objects) if fact[1] in {"above", "below"}}
        assert {status for *_, status in vertical} == {"ambiguous"}


def facts(objects: pa.Table) -> set[tuple]:
    return {
        (r["subject_object_id"], r["kind"], r["object_object_id"], r["status"])
        for r in relations_of(objects).to_pylist()
    }


def test_ranks_of_equal_medians_are_shared_and_objects_without_depth_have_none():
    rects: list[Rect] = [NEAR, FAR, (5, 75, 30, 95), (100, 70, 103, 73)]
    values = painted(rects, [9.0, 9.0, 4.0, 9.0])
    rows = built(rects, values).to_pylist()
    assert [row["depth_rank"] for row in rows] == [1, 1, 3, None]
    assert {row["depth_rank"] for row in built(rects, np.ones((HEIGHT, WIDTH))).to_pylist()} == {
        None
    }


def test_object_seen_in_a_mirror_is_reflective_and_one_before_it_is_not():
    mirror, inside, before = mask_of((40, 10, 90, 60)), mask_of((50, 20, 70, 40)), mask_of(NEAR)
    table = labelled((mirror, "mirror"), (inside, "cup"), (before & ~mirror, "table"))
    rows = objects_of(table, depth_map(painted([NEAR], [9.0]))).table.to_pylist()
    assert [row["depth_status"] for row in rows] == ["reflective", "reflective", "ok"]
    assert rows[1]["depth_rank"] is None


def test_parts_of_a_thing_whose_mask_sticks_out_stand_in_no_relation_to_it():
    body, wheel = mask_of((20, 20, 80, 60)), mask_of((30, 45, 45, 61))
    table = labelled((body, "car"), (wheel, "wheel"))
    objects = objects_of(table, depth_map(painted([NEAR], [9.0]))).table
    assert relations_of(objects).num_rows == 0
    loose = GroundParams(contained_share=1.0)
    assert relations_of(objects, loose).num_rows > 0


def test_overlap_shares_are_of_the_first_mask():
    whole, half = mask_of((0, 0, 20, 20)), mask_of((10, 0, 30, 20))
    rows = labelled((whole, "a"), (half & whole, "b"))
    shares = overlap_shares(rows["mask_rle"].to_pylist(), WIDTH, HEIGHT)
    assert shares.tolist() == [[1.0, 0.5], [1.0, 1.0]]
    assert overlap_shares([], WIDTH, HEIGHT).shape == (0, 0)
    assert OBJECTS.payload.field("depth_rank").nullable
