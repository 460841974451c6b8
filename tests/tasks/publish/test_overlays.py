"""Pictures of the page: bounded, right way round, and absent rather than wrong."""

import base64

import numpy as np
import pytest

from infra.images.decode import decode
from infra.images.depth_codec import Direction, encode_depth
from infra.images.masks import encode_mask
from infra.images.pixels import encode_jpeg
from tasks.publish.overlays import (
    DepthRow,
    Frame,
    MaskRow,
    colour_of,
    depth_pixels,
    mask_pixels,
    picture_of,
    pixels_of,
)
from tests.tasks.publish.demo_lake import drawn


def depth_row(direction: Direction) -> DepthRow:
    ramp = np.tile(np.linspace(0, 1, 60, dtype=np.float32), (40, 1))
    stored = encode_depth(ramp, direction)
    return DepthRow(stored.png, stored.lo, stored.hi, stored.p2, stored.p98, direction.value)


def test_pixels_of_a_large_image_fit_the_page():
    rgb = pixels_of(encode_jpeg(drawn(0, 1600, 900)))
    assert rgb is not None
    assert rgb.shape == (270, 480, 3)


@pytest.mark.parametrize("data", [None, b"", b"nothing", b"\xff\xd8\xff"])
def test_pixels_of_what_is_no_image_are_none(data: bytes | None):
    assert pixels_of(data) is None


def test_picture_is_a_jpeg_of_the_size_it_states():
    picture = picture_of(drawn(0), "two discs", max_side=160)
    data = base64.b64decode(picture.uri.removeprefix("data:image/jpeg;base64,"))
    assert decode(data).rgb.shape[:2] == (picture.height, picture.width) == (120, 160)


def test_picture_of_a_tiny_crop_is_shown_enlarged():
    assert picture_of(drawn(0, 24, 12), "crop").shown_width == 240


def test_depth_pixels_are_brighter_where_it_is_nearer_whichever_way_the_model_counts():
    rising = depth_pixels(depth_row(Direction.LARGER_NEARER))
    falling = depth_pixels(depth_row(Direction.LARGER_FARTHER))
    assert rising is not None
    assert falling is not None
    assert rising[:, -1].sum() > rising[:, 0].sum()
    assert falling[:, -1].sum() < falling[:, 0].sum()


def test_depth_pixels_of_a_damaged_map_are_none():
    assert depth_pixels(DepthRow(b"no png", 0, 1, 0, 1, "larger_nearer")) is None
    assert depth_pixels(DepthRow(b"", 0, 1, 0, 1, "larger_nearer")) is None


def test_mask_pixels_tint_only_the_object():
    grid = np.zeros((24, 32), dtype=bool)
    grid[:, :16] = True
    grey = np.full((240, 320, 3), 128, dtype=np.uint8)
    tinted = mask_pixels(grey, [MaskRow(1, encode_mask(grid), 32, 24)])
    assert (tinted[:, 170:] == 128).all()
    assert not (tinted[:, :150] == 128).all(axis=2).any()


def test_colours_of_neighbouring_objects_differ():
    colours = [colour_of(number) for number in range(1, 13)]
    assert len(set(colours)) == 12
    assert colour_of(1) == colours[0]


def test_frame_corners_are_in_the_units_of_the_drawing():
    assert Frame((0.1, 0.2, 0.6, 0.7), "roi", "").corners(100, 200) == (10.0, 40.0, 50.0, 100.0)
