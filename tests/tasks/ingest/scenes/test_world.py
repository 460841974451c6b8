"""Scenes are decided by (seed, index), stand apart, and show every solid."""

from itertools import combinations
from math import hypot

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.ingest.scenes.rays import camera_rays, cast
from tasks.ingest.scenes.world import GAP_M, Draw, SceneParams, sample_scene

PARAMS = SceneParams(n=1)


def test_sample_scene_same_seed_and_index_gives_the_same_scene():
    assert sample_scene(3, 5, PARAMS) == sample_scene(3, 5, PARAMS)


def test_sample_scene_other_seed_or_index_gives_another_scene():
    scenes = {sample_scene(seed, index, PARAMS) for seed in (1, 2) for index in range(5)}
    assert len(scenes) == 10


def test_sample_scene_length_of_source_does_not_change_a_scene():
    assert sample_scene(3, 5, PARAMS) == sample_scene(3, 5, SceneParams(n=1000))


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**31), index=st.integers(0, 10**6))
def test_sample_scene_any_key_gives_separate_visible_solids(seed: int, index: int):
    scene = sample_scene(seed, index, PARAMS)
    hits = cast(scene, camera_rays(scene.camera, PARAMS.width, PARAMS.height))
    visible = np.bincount(hits.instance.ravel(), minlength=len(scene.solids) + 1)[1:]
    assert 1 <= len(scene.solids) <= PARAMS.max_objects
    assert (visible >= PARAMS.min_visible_px).all()
    for one, other in combinations(scene.solids, 2):
        apart = one.footprint_radius_m + other.footprint_radius_m + GAP_M
        assert hypot(one.x - other.x, one.y - other.y) >= apart - 1e-9


def test_sample_scene_range_of_objects_is_used():
    counts = {len(sample_scene(0, index, PARAMS).solids) for index in range(80)}
    assert counts == set(range(2, 8))


def test_sample_scene_impossible_visibility_falls_back_to_one_ball():
    params = SceneParams(n=1, min_visible_px=40_000)
    scene = sample_scene(0, 0, params)
    assert [solid.shape for solid in scene.solids] == ["sphere"]


def test_sample_scene_lights_number_one_to_three():
    assert {len(sample_scene(0, index, PARAMS).lights) for index in range(40)} == {1, 2, 3}


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("n", -1),
        ("seed", -1),
        ("width", 31),
        ("height", 0),
        ("min_objects", 0),
        ("max_objects", 1),
        ("min_visible_px", 0),
        ("questions_per_scene", -1),
    ],
)
def test_scene_params_impossible_value_names_field_and_value(field: str, value: int):
    with pytest.raises(ValueError, match=rf"{field} .*{value}"):
        SceneParams(**{"n": 1, field: value})


def test_scene_params_too_many_objects_is_refused():
    with pytest.raises(ValueError, match="at most 12, found 13"):
        SceneParams(n=1, max_objects=13)


def test_draw_shuffled_keeps_items_and_reaches_every_order():
    draw = Draw(1)
    orders = {draw.shuffled((1, 2, 3)) for _ in range(200)}
    assert len(orders) == 6
