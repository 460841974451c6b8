from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from sightline.schemas import OBJECTS, RELATIONS
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
    segments,
)

INVERSE = {
    "left_of": "right_of",
    "right_of": "left_of",
    "above": "below",
    "below": "above",
    "in_front_of": "behind",
    "behind": "in_front_of",
}
DEPTH_KINDS = {"in_front_of", "behind"}


def related(rects: list[Rect], values: np.ndarray) -> list[dict]:
    objects = objects_of(segments([mask_of(r) for r in rects]), depth_map(values)).table
    return relations_of(objects).to_pylist()


def keyed(rows: list[dict], kinds: set[str] | None = None) -> set[tuple]:
    return {
        (r["subject_object_id"], r["kind"], r["object_object_id"], r["status"])
        for r in rows
        if kinds is None or r["kind"] in kinds
    }


def objects_at(*boxes: tuple[float, float, float, float], **columns: object) -> pa.Table:
    defaults = {
        "image_id": "a",
        "area_px": 1000,
        "mask_rle": "",
        "mask_width": 100,
        "mask_height": 100,
        "score": 1.0,
        "depth_median": 0.5,
        "depth_iqr": 0.0,
        "depth_status": "ok",
    }
    rows = []
    for number, box in enumerate(boxes, 1):
        own = {
            name: value[number - 1] if isinstance(value, list) else value
            for name, value in columns.items()
        }
        rows.append(defaults | {"object_id": number, "box": list(box)} | own)
    return OBJECTS.rows(rows)


LEFT, RIGHT = (0.1, 0.1, 0.3, 0.3), (0.6, 0.6, 0.8, 0.8)


def test_relations_of_two_objects_hold_both_ways_with_margin():
    rows = relations_of(objects_at(LEFT, RIGHT, depth_median=[0.9, 0.4])).to_pylist()
    assert keyed(rows) == {
        (1, "left_of", 2, "decided"),
        (2, "right_of", 1, "decided"),
        (1, "above", 2, "decided"),
        (2, "below", 1, "decided"),
        (1, "in_front_of", 2, "decided"),
        (2, "behind", 1, "decided"),
    }
    assert {r["kind"]: round(r["margin"], 9) for r in rows}["in_front_of"] == 0.5


@pytest.mark.parametrize(
    ("medians", "iqrs", "status"),
    [
        ([0.50, 0.45], [0.0, 0.0], "ambiguous"),  # not above 0.05
        ([0.52, 0.45], [0.0, 0.0], "decided"),
        ([0.60, 0.40], [0.3, 0.2], "decided"),  # 0.20 > 0.125
        ([0.52, 0.40], [0.3, 0.2], "ambiguous"),  # 0.12 <= 0.125
    ],
)
def test_relations_of_depth_are_decided_by_margin_and_spread(medians, iqrs, status):  # noqa: ANN001
    objects = objects_at(LEFT, RIGHT, depth_median=medians, depth_iqr=iqrs)
    kinds = keyed(relations_of(objects).to_pylist(), DEPTH_KINDS)
    assert kinds == {(1, "in_front_of", 2, status), (2, "behind", 1, status)}


@pytest.mark.parametrize("status", ["flat", "missing", "sky", "reflective"])
def test_relations_of_an_object_without_depth_are_of_the_plane_only(status: str):
    objects = objects_at(
        LEFT, RIGHT, depth_status=["ok", status], depth_median=[0.5, None], depth_iqr=[0.1, None]
    )
    kinds = {kind for _, kind, _, _ in keyed(relations_of(objects).to_pylist())}
    assert kinds == {"left_of", "right_of", "above", "below"}


def test_relations_of_contained_or_small_objects_are_none():
    assert relations_of(objects_at((0, 0, 1, 1), LEFT)).num_rows == 0
    assert relations_of(objects_at(LEFT, LEFT)).num_rows == 0
    assert relations_of(objects_at(LEFT, RIGHT, area_px=[63, 1000])).num_rows == 0
    large = objects_at(LEFT, RIGHT, area_px=[64, 64], depth_median=[0.9, 0.4])
    assert relations_of(large).num_rows == 6


def test_relations_of_an_exact_tie_hold_both_ways_and_decide_nothing():
    rows = relations_of(objects_at((0.1, 0.1, 0.3, 0.3), (0.1, 0.6, 0.3, 0.8))).to_pylist()
    across = keyed(rows, {"left_of", "right_of"})
    assert len(across) == 4
    assert {status for *_, status in across} == {"ambiguous"}


def test_relations_of_wide_neighbours_need_a_larger_gap():
    wide = objects_at((0.0, 0.1, 0.8, 0.3), (0.18, 0.6, 0.98, 0.8))
    assert (1, "left_of", 2, "ambiguous") in keyed(relations_of(wide).to_pylist())
    narrow = objects_at((0.3, 0.1, 0.5, 0.3), (0.48, 0.6, 0.68, 0.8))
    assert (1, "left_of", 2, "decided") in keyed(relations_of(narrow).to_pylist())


def test_relations_of_parameters_decide():
    objects = objects_at(LEFT, RIGHT, depth_median=[0.9, 0.4])
    strict = replace(GroundParams(), min_depth_margin=0.6, min_gap_frac=0.9)
    assert {s for *_, s in keyed(relations_of(objects, strict).to_pylist())} == {"ambiguous"}


def test_relations_of_pictures_do_not_mix_and_order_does_not_matter():
    one, two = objects_at(LEFT, RIGHT), objects_at(RIGHT, LEFT, image_id="b")
    both = pa.concat_tables([two, one])
    table = relations_of(both)
    assert table.schema == RELATIONS.payload
    assert table.equals(relations_of(both.take([3, 1, 0, 2])))
    assert table.slice(0, table.num_rows // 2).equals(relations_of(one))
    assert relations_of(OBJECTS.empty()).equals(RELATIONS.empty())


@settings(deadline=None)
@given(layouts())
def test_relations_come_with_their_inverse_of_equal_margin_and_status(layout):  # noqa: ANN001
    rects, depths = layout
    rows = related(rects, painted(rects, depths))
    facts = {
        (r["subject_object_id"], r["kind"], r["object_object_id"]): (r["margin"], r["status"])
        for r in rows
    }
    assert len(facts) == len(rows)
    for (a, kind, b), fact in facts.items():
        assert facts[b, INVERSE[kind], a] == fact
        if fact[1] == "decided":
            assert (b, kind, a) not in facts


@settings(deadline=None)
@given(layouts(), st.floats(0.1, 1000), st.floats(-500, 500))
def test_relations_survive_scale_and_shift_of_the_depth(layout, scale, shift):  # noqa: ANN001
    rects, depths = layout
    values = painted(rects, depths)
    before = related(rects, values)
    margins = [r["margin"] for r in before if r["kind"] in DEPTH_KINDS]
    assume(all(margin > 2e-3 and abs(margin - 0.05) > 2e-3 for margin in margins))  # levels round
    assert keyed(related(rects, values * scale + shift)) == keyed(before)


@settings(deadline=None)
@given(layouts())
def test_relations_of_the_mirrored_picture_swap_left_and_right_alone(layout):  # noqa: ANN001
    rects, depths = layout
    values = painted(rects, depths)
    mirrored = [(WIDTH - x1, y0, WIDTH - x0, y1) for x0, y0, x1, y1 in rects]
    swap = {"left_of": "right_of", "right_of": "left_of"}
    before = related(rects, values)
    after = related(mirrored, values[:, ::-1])
    expected = {(a, swap.get(kind, kind), b, status) for a, kind, b, status in keyed(before)}
    assert keyed(after) == expected


@settings(deadline=None)
@given(layouts(), st.integers(0, 2**31), st.floats(0, 0.99))
def test_relations_of_depth_never_flip_by_noise_below_half_the_margin(layout, seed, share):  # noqa: ANN001
    rects, depths = layout
    values = painted(rects, depths)
    objects = objects_of(segments([mask_of(r) for r in rects]), depth_map(values)).table
    rows = relations_of(objects)
    margins = [
        r["margin"]
        for r in rows.to_pylist()
        if r["kind"] == "in_front_of" and r["status"] == "decided"
    ]
    assume(margins)
    noise = np.random.default_rng(seed).uniform(-1, 1, len(rects)) * min(margins) / 2 * share
    medians = np.asarray(objects["depth_median"].to_pylist()) + noise
    noisy = objects.set_column(
        OBJECTS.payload.get_field_index("depth_median"),
        OBJECTS.payload.field("depth_median"),
        pa.array(medians),
    )
    decided = {k[:3] for k in keyed(rows.to_pylist(), DEPTH_KINDS) if k[3] == "decided"}
    held = {k[:3] for k in keyed(relations_of(noisy).to_pylist(), DEPTH_KINDS)}
    assert decided <= held


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 2**31))
def test_relations_of_a_map_with_pixel_noise_below_half_the_margin_keep_their_order(seed: int):
    rects: list[Rect] = [(10, 10, 40, 40), (80, 50, 110, 80)]
    values = painted(rects, [8.0, 5.0])
    noise = np.random.default_rng(seed).uniform(-1.4, 1.4, (HEIGHT, WIDTH))
    rows = related(rects, values + noise)
    assert [r["subject_object_id"] for r in rows if r["kind"] == "in_front_of"] == [1]
