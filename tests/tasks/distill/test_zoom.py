import json
import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from sightline.boxes import FULL_VIEW, Box, area, contains, from_view, to_view
from tasks.distill.case import target_of
from tasks.distill.zoom import (
    Region,
    clean_region,
    in_mix,
    is_gated,
    is_tight,
    next_view,
    seen_in,
    shown_size_px,
    verify_and_fix,
)

TARGET = (0.494, 0.456, 0.654, 0.610)


def _seed_rows(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def _boxes(low: float = 0.0, high: float = 1.0) -> st.SearchStrategy[Box]:
    side = st.floats(low, high, allow_nan=False)
    ordered = st.tuples(side, side).filter(lambda p: abs(p[0] - p[1]) > 0.01).map(sorted)
    return st.tuples(ordered, ordered).map(lambda xy: (xy[0][0], xy[1][0], xy[0][1], xy[1][1]))


def test_verify_and_fix_on_figure_2_gives_the_published_ratios_and_crops():
    """arXiv:2511.17731, figure 2."""
    first = verify_and_fix((0.450, 0.350, 0.660, 0.610), TARGET)
    assert first is not None
    assert first.box == pytest.approx((0.450, 0.350, 0.660, 0.610))
    assert first.ratio == pytest.approx(2.216, abs=5e-4)
    assert not is_tight(first)

    view_1 = from_view(first.box, FULL_VIEW)
    target_1 = to_view(TARGET, view_1)
    assert target_1 == pytest.approx((0.210, 0.408, 0.971, 1.0), abs=5e-4)

    second = verify_and_fix((0.21, 0.30, 0.971, 1.0), target_1)
    assert second is not None
    assert second.ratio == pytest.approx(1.182, abs=5e-4)
    assert is_tight(second)
    view_2 = from_view(second.box, view_1)
    assert to_view(TARGET, view_2) == pytest.approx((0.0, 0.154, 1.0, 1.0), abs=5e-4)


def test_is_gated_at_exactly_the_share_is_false():
    assert not is_gated((0.0, 0.0, 0.5, 0.5), gate_share=0.25)
    assert is_gated((0.0, 0.0, 0.5, 0.5001), gate_share=0.25)


def test_is_gated_on_the_cub_seed_gives_the_published_single_round_share(real_data: Path):
    rows = _seed_rows(real_data / "viscot_full" / "cub_cot_train.jsonl")
    targets = [target_of(r["bboxs"], r["width"], r["height"]) for r in rows]
    gated = sum(t is not None and is_gated(t) for t in targets)
    assert (gated, len(rows)) == (5494, 10056)
    assert round(100 * gated / len(rows), 2) == 54.63


@pytest.mark.parametrize(("name", "published"), [("cub", 249.0), ("sroie", 480.4)])
def test_target_of_the_seeds_gives_the_published_average_box_size(
    real_data: Path, name: str, published: float
):
    rows = _seed_rows(real_data / "viscot_full" / f"{name}_cot_train.jsonl")
    areas = []
    for row in rows:
        target = target_of(row["bboxs"], row["width"], row["height"])
        areas.append(area(target) * row["width"] * row["height"] if target else 0.0)
    assert round(math.sqrt(sum(areas) / len(areas)), 1) == published


def test_single_round_mix_on_the_sroie_seed_comes_near_the_published_share(real_data: Path):
    rows = _seed_rows(real_data / "viscot_full" / "sroie_cot_train.jsonl")
    single = 0
    for i, row in enumerate(rows):
        target = target_of(row["bboxs"], row["width"], row["height"])
        single += (target is not None and is_gated(target)) or in_mix(f"sample_{i}", 0.5)
    assert 100 * single / len(rows) == pytest.approx(56.96, abs=3)


def test_in_mix_over_many_ids_takes_about_its_share_and_never_changes():
    ids = [f"sample_{i}" for i in range(4000)]
    taken = [i for i in ids if in_mix(i, 0.5)]
    assert len(taken) == pytest.approx(2000, abs=130)
    assert taken == [i for i in reversed(ids) if in_mix(i, 0.5)][::-1]
    assert not any(in_mix(i, 0.0) for i in ids)
    assert all(in_mix(i, 1.0) for i in ids)
    assert {i for i in ids if in_mix(i, 0.2)} <= set(taken)


@pytest.mark.parametrize(
    "stated",
    [
        None,
        (0.5, 0.5, 0.5, 0.9),
        (0.9, 0.1, 0.2, 0.5),
        (1.2, 0.0, 1.4, 1.0),
        (-0.5, 0.2, -0.1, 0.5),
        (0.5, 0.5, 0.5004, 0.9),
    ],
)
def test_verify_and_fix_of_a_malformed_region_discards_it(stated: Any):
    assert clean_region(stated) is None
    assert verify_and_fix(stated, (0.4, 0.4, 0.6, 0.6)) is None


def test_verify_and_fix_of_a_region_that_leaves_the_view_clips_it():
    region = verify_and_fix((-0.2, 0.3, 0.7, 1.3), (0.4, 0.4, 0.6, 0.6))
    assert region is not None
    assert region.box == (0.0, 0.3, 0.7, 1.0)


@given(stated=_boxes(-0.5, 1.5), target=_boxes())
def test_verify_and_fix_holds_target_and_statement_and_nothing_less(stated: Any, target: Box):
    region = verify_and_fix(stated, target)
    inside = clean_region(stated)
    assume(region is not None and inside is not None)
    assert contains(region.box, target, slack=0)
    assert contains(region.box, inside, slack=0)
    assert contains(FULL_VIEW, region.box, slack=0)
    for edge in range(4):
        assert region.box[edge] in {inside[edge], target[edge]}
    assert region.ratio >= 1 - 1e-9


@given(
    region=_boxes(),
    view=_boxes(),
    size=st.tuples(st.integers(1, 3000), st.integers(1, 3000)),
    least=st.integers(1, 64),
)
def test_next_view_lies_on_the_pixel_grid_and_holds_the_region(
    region: Box, view: Box, size: tuple[int, int], least: int
):
    got = next_view(region, view, size, least)
    assert contains(FULL_VIEW, got, slack=0)
    assert contains(got, from_view(region, view), slack=2e-6)
    for edge, length in zip(got, size * 2, strict=True):
        assert edge * length == pytest.approx(round(edge * length), abs=1e-6)
    for low, high, length in ((got[0], got[2], size[0]), (got[1], got[3], size[1])):
        assert round((high - low) * length) >= min(least, length)


def test_next_view_of_the_whole_view_is_the_view():
    view = (0.1, 0.2, 0.5, 0.9)
    assert next_view(FULL_VIEW, view, (1000, 1000), 1) == pytest.approx(view)


def test_is_tight_at_exactly_the_ratio_stops():
    assert is_tight(Region((0, 0, 1, 1), 2.0))
    assert not is_tight(Region((0, 0, 1, 1), 2.0 + 1e-9))


def test_shown_size_of_a_large_view_is_scaled_down_and_never_up():
    assert shown_size_px(FULL_VIEW, (4000, 2000), 1000) == (1000, 500)
    assert shown_size_px((0.0, 0.0, 0.1, 0.1), (4000, 2000), 1000) == (400, 200)


def test_seen_in_drops_what_lies_mostly_outside_and_clips_the_rest():
    view = (0.5, 0.0, 1.0, 1.0)
    assert seen_in((0.4, 0.4, 0.8, 0.6), view, 0.5) == pytest.approx((0.0, 0.4, 0.6, 0.6))
    assert seen_in((0.1, 0.4, 0.6, 0.6), view, 0.5) is None
    assert seen_in((0.1, 0.4, 0.4, 0.6), view, 0.0) is None


@pytest.mark.parametrize("boxes", [None, [], [[5, 5, 5, 9]], [["a", 0, 1, 1]], [[0, 0, 1]]])
def test_target_of_boxes_without_an_area_is_none(boxes: Any):
    assert target_of(boxes, 100, 100) is None


def test_target_of_several_boxes_is_their_union_clipped():
    assert target_of([[10, 10, 20, 20], [30, 5, 120, 15]], 100, 100) == (0.1, 0.05, 1.0, 0.2)
