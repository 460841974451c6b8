"""Keys of single images: invariances, pictures that say nothing, and files that are none."""

import numpy as np
import pyarrow as pa
import pytest

from infra.images.decode import ImageProblem, decode, decode_luma
from infra.images.pixels import encode_jpeg, phash256
from infra.pool.workers import WorkerSpec
from sightline.errors import Failure
from sightline.schemas import IMAGE_KEYS
from tasks.image_keys.hashes import bits_apart
from tasks.image_keys.keys import image_key, quick_phash
from tasks.image_keys.kind import tones
from tasks.image_keys.views import TURN_NAMES, VIEWS, turned, view_hashes
from tasks.image_keys.worker import FACTORY
from tests.tasks.dedup.image.scenes import photo, png, recompressed, resized, table


def apart(one: np.int64, other: np.int64) -> int:
    return ((int(one) ^ int(other)) & (2**64 - 1)).bit_count()


@pytest.mark.parametrize("turn", range(8), ids=TURN_NAMES)
def test_view_hashes_of_a_turn_is_the_hash_of_the_turned_picture(turn: int):
    picture = photo(11)
    assert VIEWS[turn].turn == turn
    assert apart(view_hashes(picture)[turn], view_hashes(turned(picture, turn))[0]) <= 4


def test_turned_names_say_what_happens():
    picture = photo(12, 60, 40)
    assert np.array_equal(turned(picture, TURN_NAMES.index("rotate_90")), np.rot90(picture, -1))
    assert np.array_equal(turned(picture, TURN_NAMES.index("rotate_270")), np.rot90(picture))
    assert np.array_equal(turned(picture, TURN_NAMES.index("flip_h")), picture[:, ::-1])


@pytest.mark.parametrize("place", [8, 30, 57, 100])
def test_view_hashes_of_a_crop_is_the_hash_of_what_is_cut(place: int):
    picture = photo(13)
    height, width = picture.shape[:2]
    x0, y0, x1, y1 = VIEWS[place].box
    cut = picture[round(y0 * height) : round(y1 * height), round(x0 * width) : round(x1 * width)]
    assert apart(view_hashes(picture)[place], view_hashes(cut)[0]) <= 4


def test_tones_photo_keeps_its_kind_recompressed_and_resized_and_a_table_is_none():
    for change in (lambda p: p, lambda p: recompressed(p, 30), lambda p: resized(p, 0.4)):
        assert tones(change(photo(14))).is_photo
        assert not tones(change(table([1, 22, 333]))).is_photo


@pytest.mark.parametrize("side", [1, 2, 3, 17])
def test_image_key_tiny_picture_has_a_key(side: int):
    key = image_key(png(np.full((side, side, 3), 90, np.uint8)))
    assert key.phash is None
    assert not key.is_photo
    assert len(key.view_hashes) == len(VIEWS)


def test_image_key_takes_the_stored_phash_as_it_is():
    data = encode_jpeg(photo(15, 1600, 1200), 80)
    stored = phash256(decode(data).rgb)
    assert image_key(data, stored).phash == bytes.fromhex(stored)


@pytest.mark.parametrize("quality", [30, 90])
@pytest.mark.parametrize("size", [(1600, 1200), (900, 1300), (401, 397), (150, 90)])
def test_quick_phash_is_within_14_bits_of_all_pixels(size: tuple[int, int], quality: int):
    data = encode_jpeg(photo(16, *size), quality)
    quick = quick_phash(data)
    assert quick is not None
    assert quick == quick_phash(data)
    assert bits_apart(quick.hex(), phash256(decode(data).rgb)) <= 14


@pytest.mark.parametrize(
    ("size", "reduced"),
    [((1600, 1200), (400, 300)), ((801, 767), (401, 384)), ((383, 900), (383, 900))],
)
def test_decode_luma_jpeg_keeps_the_side_asked_for(size: tuple[int, int], reduced: tuple[int, int]):
    grey = decode_luma(encode_jpeg(photo(17, *size)), 192)
    assert grey.dtype == np.uint8
    assert grey.shape == reduced[::-1]


def test_decode_luma_refuses_what_decode_refuses():
    whole = encode_jpeg(photo(18, 800, 800))
    for data in (whole[: len(whole) // 2], b"", b"no image", whole[:20]):
        with pytest.raises(ImageProblem) as full:
            decode(data)
        with pytest.raises(ImageProblem) as reduced:
            decode_luma(data, 192)
        assert reduced.value.code == full.value.code
    with pytest.raises(ImageProblem, match="at most 1000 pixels"):
        decode_luma(whole, 192, max_pixels=1000)


def test_worker_keeps_the_order_and_names_bad_images():
    files = {"a": png(photo(19)), "bad": b"junk", "c": png(table([5])), "cut": png(photo(20))[:900]}
    batch = pa.table(
        {
            "image_id": list(files),
            "bytes": pa.array(files.values(), pa.binary()),
            "phash": pa.nulls(len(files), pa.string()),
        }
    )
    output = WorkerSpec(FACTORY).build()(batch)
    assert not isinstance(output, pa.Table)
    assert output.table.schema == IMAGE_KEYS.payload
    assert output.table["image_id"].to_pylist() == ["a", "c"]
    assert output.table["is_photo"].to_pylist() == [True, False]
    codes = {f.item_id: f.code for f in output.failures}
    assert codes == {"bad": Failure.IMAGE_UNREADABLE, "cut": Failure.IMAGE_TRUNCATED}
