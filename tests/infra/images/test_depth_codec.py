import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from infra.images.depth_codec import (
    MAX_LEVEL,
    Direction,
    decode_levels,
    encode_depth,
    nearness,
    sky_mask,
    values_of,
)
from infra.images.pixels import encode_png

NEARER, FARTHER = Direction.LARGER_NEARER, Direction.LARGER_FARTHER
maps = hnp.arrays(
    np.float32,
    hnp.array_shapes(min_dims=2, max_dims=2, min_side=2, max_side=24),
    elements=st.floats(-1e4, 1e4, width=32),
)


@given(maps)
def test_encode_decode_error_is_at_most_one_level(values: np.ndarray):
    stored = encode_depth(values, NEARER)
    levels = decode_levels(stored.png)
    back = values_of(levels, stored.lo, stored.hi)
    tolerance = (stored.hi - stored.lo) / MAX_LEVEL + 1e-6 * max(abs(stored.lo), abs(stored.hi))
    assert levels.shape == values.shape == (stored.height, stored.width)
    assert levels.max() <= MAX_LEVEL
    assert np.abs(back - values).max() <= tolerance


@given(maps)
def test_encode_percentiles_are_those_of_what_is_stored(values: np.ndarray):
    stored = encode_depth(values, FARTHER)
    seen = values_of(decode_levels(stored.png), stored.lo, stored.hi)
    tolerance = 1e-5 * max(1.0, abs(stored.lo), abs(stored.hi))
    assert (stored.p2, stored.p98) == pytest.approx(np.percentile(seen, [2, 98]), abs=tolerance)


@pytest.mark.parametrize("value", [0.0, 3.5, -2.0])
def test_encode_constant_map_is_flat(value: float):
    stored = encode_depth(np.full((6, 8), value, dtype=np.float32), NEARER)
    assert stored.is_flat
    assert stored.lo == stored.hi == stored.p2 == stored.p98 == value
    assert not decode_levels(stored.png).any()


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_encode_map_with_a_value_that_is_not_finite_is_an_error(bad: float):
    values = np.ones((4, 4), dtype=np.float32)
    values[1, 2] = bad
    with pytest.raises(ValueError, match="1 other values"):
        encode_depth(values, NEARER)


def test_decode_levels_of_an_8_bit_png_is_an_error():
    with pytest.raises(ValueError, match="16-bit"):
        decode_levels(encode_png(np.zeros((4, 4), dtype=np.uint8)))


def test_nearness_is_one_at_the_near_end_for_either_direction():
    values = np.array([[0.0, 1.0, 2.0, 3.0, 4.0]], dtype=np.float32)
    assert nearness(values, 1, 3, NEARER).tolist() == [[0, 0, 0.5, 1, 1]]
    assert nearness(values, 1, 3, FARTHER).tolist() == [[1, 1, 0.5, 0, 0]]
    assert nearness(values, 2, 2, FARTHER).tolist() == [[0] * 5]


def sky_and_room() -> np.ndarray:
    values = np.tile(np.linspace(10, 20, 100, dtype=np.float32)[:, None], (1, 100))
    values[:40] = 0.0  # sky
    values[80:85, 10:15] = 0.0  # a hole that does not reach the top
    return values


def test_sky_is_the_saturated_region_at_the_top_edge_only():
    stored = encode_depth(sky_and_room(), NEARER)
    sky = sky_mask(decode_levels(stored.png), NEARER)
    assert sky[:40].all()
    assert not sky[40:].any()
    # of the room alone: the hole is 25 of its 6,000 pixels, below the 2nd percentile
    assert stored.p2 == pytest.approx(14.05, abs=0.05)
    assert stored.p98 == pytest.approx(19.85, abs=0.05)


def test_sky_of_a_few_pixels_or_of_a_metric_map_is_none():
    speck = np.tile(np.linspace(1, 2, 100, dtype=np.float32)[:, None], (1, 100))
    speck[0, :50] = 0.0
    assert not sky_mask(decode_levels(encode_depth(speck, NEARER).png), NEARER).any()
    levels = decode_levels(encode_depth(sky_and_room(), FARTHER).png)
    assert not sky_mask(levels, FARTHER).any()


def test_encode_map_that_is_all_sky_but_one_pixel_is_stored():
    values = np.zeros((20, 20), dtype=np.float32)
    values[19, 19] = 1.0
    stored = encode_depth(values, NEARER)
    assert stored.is_flat  # what is not sky is one value
    assert (stored.p2, stored.p98) == (1.0, 1.0)
