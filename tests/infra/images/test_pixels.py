import base64

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.images.decode import decode, inspect_header
from infra.images.pixels import (
    crop,
    crop_box_px,
    encode_jpeg,
    encode_png,
    phash256,
    pixel_sha,
    resize_bicubic,
    thumbnail,
    thumbnail_data_uri,
)

RANDOM = np.random.default_rng(7)
PHOTO = resize_bicubic(RANDOM.integers(0, 255, (9, 12, 3), dtype=np.uint8), 320, 240)
fractions = st.floats(0, 1, allow_nan=False)


def bits_apart(a: str, b: str) -> int:
    return (int(a, 16) ^ int(b, 16)).bit_count()


def test_pixel_sha_is_the_same_for_every_lossless_encoding_and_differs_by_shape():
    assert pixel_sha(decode(encode_png(PHOTO)).rgb) == pixel_sha(PHOTO)
    assert pixel_sha(PHOTO.reshape(320, 240, 3)) != pixel_sha(PHOTO)
    assert pixel_sha(PHOTO[:, ::-1]) == pixel_sha(PHOTO[:, ::-1].copy())


def test_phash256_recompressed_and_resized_pictures_stay_near_and_others_far():
    here = phash256(PHOTO)
    other = resize_bicubic(RANDOM.integers(0, 255, (9, 12, 3), dtype=np.uint8), 320, 240)
    assert len(here) == 64
    assert bits_apart(here, phash256(decode(encode_jpeg(PHOTO, 60)).rgb)) <= 12
    assert bits_apart(here, phash256(resize_bicubic(PHOTO, 200, 150))) <= 12
    assert bits_apart(here, phash256(other)) > 60


@pytest.mark.parametrize("level", [0, 1, 77, 255])
def test_phash256_flat_picture_sets_only_the_mean_bit(level: int):
    flat = np.full((50, 70, 3), level, dtype=np.uint8)
    assert bits_apart(phash256(flat), "0" * 64) == (level > 0)


@given(fractions, fractions, fractions, fractions, st.integers(1, 80))
def test_crop_box_px_holds_the_box_and_stays_inside(a, b, c, d, min_side):  # noqa: ANN001
    box = (min(a, b), min(c, d), max(a, b), max(c, d))
    if box[2] - box[0] < 1e-3 or box[3] - box[1] < 1e-3:
        return
    x0, y0, x1, y1 = crop_box_px(64, 48, box, min_side)
    assert 0 <= x0 < x1 <= 64
    assert 0 <= y0 < y1 <= 48
    assert x0 <= box[0] * 64 + 1e-5
    assert x1 >= box[2] * 64 - 1e-5
    assert y0 <= box[1] * 48 + 1e-5
    assert y1 >= box[3] * 48 - 1e-5
    assert x1 - x0 >= min(min_side, 64)
    assert y1 - y0 >= min(min_side, 48)


def test_crop_whole_pixels_cuts_exactly_them():
    assert crop_box_px(100, 50, (0.1, 0.2, 0.3, 0.4)) == (10, 10, 30, 20)
    assert np.array_equal(crop(PHOTO, (0.25, 0.5, 0.5, 1.0)), PHOTO[120:240, 80:160])


def test_crop_tiny_box_at_the_corner_grows_inward():
    assert crop_box_px(100, 100, (0.99, 0.99, 1.0, 1.0), min_side=28) == (72, 72, 100, 100)


@pytest.mark.parametrize("box", [(0.5, 0.5, 0.5, 0.9), (1.2, 0, 1.5, 1), (0.6, 0.1, 0.4, 0.9)])
def test_crop_box_without_area_in_the_picture_is_an_error(box):  # noqa: ANN001
    with pytest.raises(ValueError, match="area inside"):
        crop(PHOTO, box)


def test_encode_twice_gives_the_same_bytes():
    assert encode_png(PHOTO) == encode_png(PHOTO.copy())
    assert encode_jpeg(PHOTO) == encode_jpeg(PHOTO[:, :, ::-1][:, :, ::-1])


def test_encode_png_keeps_16_bit_grey():
    deep = np.arange(64, dtype=np.uint16).reshape(8, 8) * 1000
    assert inspect_header(encode_png(deep)).mode == "I;16"


def test_thumbnail_long_side_is_bounded_and_small_pictures_are_kept():
    assert thumbnail(PHOTO, 100).shape == (75, 100, 3)
    assert thumbnail(PHOTO, 1000) is PHOTO
    head, data = thumbnail_data_uri(PHOTO, 64).split(",")
    assert head == "data:image/jpeg;base64"
    assert decode(base64.b64decode(data)).rgb.shape == (48, 64, 3)
