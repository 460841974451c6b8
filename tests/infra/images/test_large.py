from collections.abc import Callable
from io import BytesIO

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from infra.images.decode import ImageProblem, decode, upright
from infra.images.large import open_large, shrunk_size, stored_box
from infra.images.note import with_note
from infra.images.pixels import encode_jpeg, encode_png, pixel_sha, resize_bicubic
from sightline.errors import Failure

MOST = 10_000_000


def scene(width: int, height: int) -> np.ndarray:
    """Return a picture without fine grain, so that ways to shrink it must agree."""
    x, y = np.meshgrid(np.linspace(0, 1, width), np.linspace(0, 1, height))
    shades = [255 * x, 255 * y, 127 + 127 * np.sin(8 * x) * np.cos(6 * y)]
    return np.stack(shades, axis=-1).astype(np.uint8)


def encoded(rgb: np.ndarray, kind: str, orientation: int = 1, **options: object) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = orientation
    out = BytesIO()
    Image.fromarray(rgb).save(out, kind, exif=exif, **options)
    return out.getvalue()


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF"])
def test_shrunk_is_the_upright_picture_at_the_largest_size_allowed(kind: str, orientation: int):
    rgb = scene(640, 360)
    data = encoded(rgb, kind, orientation)
    picture = open_large(data, max_pixels=MOST)
    small = picture.shrunk(10_000)
    size = shrunk_size(*picture.size, 10_000)
    assert small.shape[:2] in {size[::-1], shrunk_size(*picture.stored_size, 10_000)}
    assert 9_500 < small.shape[0] * small.shape[1] <= 10_000
    whole = decode(data).rgb
    expected = resize_bicubic(whole, small.shape[1], small.shape[0]).astype(int)
    assert np.abs(small.astype(int) - expected).max() <= 8


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_regions_are_those_of_the_whole_picture(kind: str, orientation: int):
    data = encoded(scene(96, 64), kind, orientation)
    picture, whole = open_large(data, max_pixels=MOST), decode(data).rgb
    boxes = [(0, 0, 20, 30), (13, 7, 50, 60), (44, 40, 64, 64)]
    for (x0, y0, x1, y1), region in zip(boxes, picture.regions(boxes), strict=True):
        assert np.array_equal(region, whole[y0:y1, x0:x1])


@pytest.mark.parametrize("mode", ["L", "P", "RGBA", "LA", "1", "CMYK", "I;16"])
def test_regions_of_every_mode_have_the_colours_of_the_whole(mode: str):
    rgb = Image.fromarray(scene(60, 40))
    if mode == "I;16":
        wide = np.asarray(rgb.convert("L")).astype(np.uint16) * 257
        image = Image.fromarray(wide)
    else:
        image = rgb.convert(mode)
    if "A" in mode:
        image.putalpha(Image.fromarray(scene(60, 40)[..., 0]))
    out = BytesIO()
    image.save(out, "TIFF" if mode in {"CMYK", "I;16"} else "PNG")
    picture, whole = open_large(out.getvalue(), max_pixels=MOST), decode(out.getvalue()).rgb
    (region,) = picture.regions([(10, 5, 40, 33)])
    assert np.array_equal(region, whole[5:33, 10:40])


@given(st.integers(1, 8), st.integers(1, 30), st.integers(1, 30), st.data())
def test_stored_box_cuts_what_the_upright_box_shows(
    orientation: int, width: int, height: int, data: st.DataObject
):
    stored = np.arange(width * height, dtype=np.uint8).reshape(height, width)
    whole = upright(stored, orientation)
    high, wide = whole.shape
    x0, y0 = data.draw(st.integers(0, wide - 1)), data.draw(st.integers(0, high - 1))
    x1, y1 = data.draw(st.integers(x0 + 1, wide)), data.draw(st.integers(y0 + 1, high))
    a, b, c, d = stored_box((x0, y0, x1, y1), orientation, (wide, high))
    assert np.array_equal(upright(stored[b:d, a:c], orientation), whole[y0:y1, x0:x1])


@given(st.integers(1, 10**6), st.integers(1, 10**6), st.integers(1, 10**9))
def test_shrunk_size_stays_within_the_limit_and_keeps_the_shape(width: int, height: int, most: int):
    found = shrunk_size(width, height, most)
    assert found[0] * found[1] <= max(most, 1)
    assert 1 <= found[0] <= width
    assert 1 <= found[1] <= height
    if width * height <= most:
        assert found == (width, height)
    elif min(found) > 20:
        assert abs(found[0] / found[1] / (width / height) - 1) < 0.1


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (encode_jpeg(scene(300, 200))[:4000], Failure.IMAGE_TRUNCATED),
        (encode_png(scene(300, 200))[:9000], Failure.IMAGE_TRUNCATED),
    ],
    ids=["jpeg", "png"],
)
def test_damaged_large_pictures_are_typed(data: bytes, code: Failure):
    picture = open_large(data, max_pixels=MOST)
    for read in (lambda: picture.shrunk(1000), lambda: list(picture.regions([(0, 0, 9, 9)]))):
        with pytest.raises(ImageProblem) as caught:
            read()
        assert caught.value.code is code


def test_more_pixels_than_asked_for_are_refused_by_the_header():
    with pytest.raises(ImageProblem) as caught:
        open_large(encode_png(scene(300, 200)), max_pixels=59_999)
    assert caught.value.code is Failure.IMAGE_TOO_LARGE


def test_picture_beyond_the_limit_of_pillow_is_shrunk():
    out = BytesIO()
    Image.new("1", (14_000, 13_000), 1).save(out, "PNG")
    with pytest.raises(ImageProblem):
        decode(out.getvalue(), max_pixels=10**9)
    picture = open_large(out.getvalue(), max_pixels=10**9)
    small = picture.shrunk(1_000_000)
    assert small.shape == (963, 1037, 3)
    assert small.min() == 255


@pytest.mark.parametrize("encode", [encode_png, encode_jpeg])
def test_note_changes_bytes_and_no_pixel(encode: Callable[[np.ndarray], bytes]):
    data = encode(scene(40, 30))
    noted, other = with_note(data, "region 1"), with_note(data, "region 2")
    assert len({data, noted, other}) == 3
    assert pixel_sha(decode(noted).rgb) == pixel_sha(decode(data).rgb)
    assert b"region 1" in noted
    with pytest.raises(ValueError, match="PNG"):
        with_note(b"GIF89a", "x")
