"""Clusters of generated pictures: what is one picture, what is only reported, what stays apart."""

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image

from infra.images.pixels import encode_jpeg
from tasks.dedup.image.duplicates import image_duplicates, picture_of
from tasks.dedup.image.params import ImageParams
from tasks.image_keys.layout import difference
from tasks.image_keys.views import FLIP_H, FLIP_V, TRANSPOSE, turned
from tests.tasks.dedup.image.scenes import (
    Shelf,
    bars,
    brighter,
    grey,
    photo,
    png,
    recompressed,
    resized,
    table,
)

SAME = {
    "jpeg 30": lambda p: recompressed(p, 30),
    "half size": lambda p: resized(p, 0.5),
    "larger": lambda p: resized(p, 1.6),
    "brighter": lambda p: brighter(p, 1.15),
    "darker": lambda p: brighter(p, 0.7),
    "grey": grey,
}


@pytest.mark.parametrize("change", SAME.values(), ids=SAME.keys())
@pytest.mark.parametrize(
    "original", [photo(1), table([17, 23, 58, 40, 99])], ids=["photo", "table"]
)
def test_image_duplicates_changed_encoding_size_or_tones_is_one_picture(original, change):  # noqa: ANN001
    shelf = Shelf({"original": png(original), "copy": png(change(original))})
    assert shelf.pairs() == {"image_phash": {"copy": "original"}}


@pytest.mark.parametrize("factor", [1.15, 1.2, 1.25])
@pytest.mark.parametrize("heights", [(3, 8, 5, 6), (2, 9, 4, 7), (6, 6, 3, 9)])
def test_image_duplicates_chart_with_clipped_tones_is_one_picture(heights, factor: float):  # noqa: ANN001
    original = bars(heights)
    shelf = Shelf({"original": png(original), "copy": png(brighter(original, factor))})
    assert shelf.pairs() == {"image_tones": {"copy": "original"}}


@pytest.mark.parametrize("way", [Image.Resampling.LANCZOS, Image.Resampling.BICUBIC])
def test_difference_fine_lines_shrunk_as_programs_shrink_are_the_same(way: Image.Resampling):
    fine = np.full((240, 320, 3), 255, np.uint8)
    fine[::3, :, :] = 0
    fine[:, ::7, :] = (200, 30, 30)
    edited = fine.copy()
    edited[100:108, 60:66] = 255
    shrunk = [np.asarray(Image.fromarray(p).resize((160, 120), way)) for p in (fine, edited)]
    assert difference(fine, shrunk[0]).is_same
    assert not difference(fine, shrunk[1]).is_same


@pytest.mark.parametrize("factor", [1.15, 1.2, 1.25])
def test_image_duplicates_clipped_chart_with_another_bar_stays_apart(factor: float):
    other = brighter(bars((3, 8, 5, 7)), factor)
    assert Shelf({"one": png(bars((3, 8, 5, 6))), "other": png(other)}).pairs() == {}


def test_image_duplicates_every_copy_with_other_tones_names_the_one_that_is_kept():
    original = bars((3, 8, 5, 6))
    copies = {str(factor): png(brighter(original, factor)) for factor in (1.2, 1.1, 1.15, 1.25)}
    rows = Shelf({"original": png(original), **copies})
    found = image_duplicates(rows.items(), rows.read, ImageParams())
    assert len(set(picture_of(found).values())) == 1
    keys = list(zip(found["item_id"].to_pylist(), found["method"].to_pylist(), strict=True))
    assert len(set(keys)) == len(keys)


@pytest.mark.parametrize("seed", range(4))
def test_image_duplicates_other_photos_stay_apart(seed: int):
    assert Shelf({"one": png(photo(seed)), "other": png(photo(seed + 50))}).pairs() == {}


@pytest.mark.parametrize(("was", "becomes"), [(58, 53), (58, 68), (17, 11), (40, 90)])
@pytest.mark.parametrize("change", [lambda p: p, SAME["jpeg 30"]], ids=["as it is", "jpeg 30"])
def test_image_duplicates_table_with_one_changed_digit_is_not_dropped(was, becomes, change):  # noqa: ANN001
    numbers = [17, 23, 58, 40, 99]
    edited = [becomes if n == was else n for n in numbers]
    shelf = Shelf({"one": png(table(numbers)), "other": png(change(table(edited)))})
    phashes = [int.from_bytes(p, "big") for p in shelf.items()["phash"].to_pylist()]
    assert (phashes[0] ^ phashes[1]).bit_count() <= ImageParams().max_bits, "no test of the look"
    assert shelf.pairs() == {}


def test_image_duplicates_equal_pixels_in_two_encodings_is_the_pixel_tier():
    flat = Image.fromarray(photo(2))
    import io

    files = {}
    for kind in ("png", "bmp"):
        buffer = io.BytesIO()
        flat.save(buffer, kind)
        files[kind] = buffer.getvalue()
    assert Shelf(files).pairs() == {"image_pixels": {"bmp": "png"}}


@pytest.mark.parametrize(
    ("turn", "name"), [(FLIP_H, "flip_h"), (FLIP_V, "flip_v"), (TRANSPOSE | FLIP_H, "rotate_90")]
)
@pytest.mark.parametrize("original", [photo(3), table([3, 14, 159, 26])], ids=["photo", "table"])
def test_image_duplicates_turned_picture_is_reported_with_its_turn(original, turn, name):  # noqa: ANN001
    shelf = Shelf({"original": png(original), "turned": png(turned(original, turn))})
    rows = image_duplicates(shelf.items(), shelf.read, ImageParams())
    found = {r["method"]: r for r in rows.to_pylist() if r["item_id"] != r["kept_id"]}
    assert set(found) == {"image_flip"}
    assert found["image_flip"]["decision"] == "report"
    assert f"view {name}," in found["image_flip"]["evidence"]
    assert picture_of(rows) == {}


@pytest.mark.parametrize("share", [0.8, 0.84, 0.9])
@pytest.mark.parametrize("seed", [4, 5])
def test_image_duplicates_crop_of_a_photo_is_reported_with_its_place(share: float, seed: int):
    original = photo(seed)
    height, width = original.shape[:2]
    rng = np.random.default_rng(seed)
    x, y = rng.integers(0, int(width * (1 - share))), rng.integers(0, int(height * (1 - share)))
    cut = original[y : y + int(height * share), x : x + int(width * share)]
    shelf = Shelf({"original": png(original), "crop": encode_jpeg(np.ascontiguousarray(cut), 80)})
    assert shelf.pairs() == {"image_crop": {"crop": "original"}}
    assert (
        Shelf(
            {"original": png(original), "crop": encode_jpeg(np.ascontiguousarray(cut), 80)}
        ).pairs(ImageParams(finds_views=False))
        == {}
    )


def test_image_duplicates_pictures_without_structure_are_not_one_picture():
    shades = {f"grey {v}": png(np.full((60, 80, 3), v, np.uint8)) for v in (0, 1, 128, 255)}
    ramp = np.repeat(np.arange(240, dtype=np.uint8)[None, :, None], 90, axis=0).repeat(3, axis=2)
    pixel = {"pixel": png(np.full((1, 1, 3), 9, np.uint8)), "ramp": png(ramp)}
    pixel["pixel too"] = png(np.full((1, 1, 3), 200, np.uint8))
    shelf = Shelf(shades | pixel)
    assert shelf.items()["phash"].null_count == len(shelf.files)
    assert shelf.pairs() == {}


def test_image_duplicates_priority_decides_who_is_kept_and_members_name_a_kept_row():
    files = {n: png(f(photo(6))) for n, f in SAME.items()} | {"original": png(photo(6))}
    shelf = Shelf(files)
    n = len(files)
    for order in ([*range(n)], [*reversed(range(n))]):
        items = shelf.items(order=order)
        rows = image_duplicates(items, shelf.read, ImageParams())
        best = items["image_id"][0].as_py()
        assert set(rows["kept_id"].to_pylist()) == {best}
        assert len(picture_of(rows)) == n - 1


def test_image_duplicates_many_tables_of_one_template_each_stand_alone():
    rng = np.random.default_rng(8)
    files = {str(i): png(table(rng.integers(10, 99, 5).tolist())) for i in range(24)}
    files["copy of 7"] = png(recompressed(table_of(files, "7"), 40))
    assert Shelf(files).pairs() == {"image_phash": {"copy of 7": "7"}}


def table_of(files: dict[str, bytes], name: str):
    from infra.images.decode import decode

    return decode(files[name]).rgb


def test_image_duplicates_photos_are_decided_without_their_bytes():
    shelf = Shelf({"one": png(photo(9)), "copy": png(recompressed(photo(9), 50))})
    assert len(shelf.pairs(ImageParams(finds_views=False))["image_phash"]) == 1
    assert shelf.n_reads == 0


def test_image_duplicates_rows_without_keys_or_bytes_take_part_by_pixels_only():
    shelf = Shelf({"one": png(table([1, 2])), "two": png(recompressed(table([1, 2]), 60))})
    items = shelf.items()
    lost = items.set_column(2, "phash", pa.nulls(2, pa.binary()))
    lost = lost.set_column(3, "view_hashes", pa.nulls(2, pa.list_(pa.int64())))
    assert image_duplicates(lost, shelf.read, ImageParams()).num_rows == 0
    assert image_duplicates(items, lambda _: {}, ImageParams()).num_rows == 0
    assert image_duplicates(items.slice(0, 0), shelf.read, ImageParams()).num_rows == 0


def test_picture_of_follows_a_chain_of_tiers_and_ignores_reports():
    def row(item: str, kept: str, decision: str | None) -> dict[str, object]:
        return {"item_id": item, "kept_id": kept, "item_kind": "image", "decision": decision}

    rows = pa.Table.from_pylist(
        [row("c", "b", "drop"), row("b", "a", None), row("a", "a", "drop"), row("d", "a", "report")]
    )
    assert picture_of(rows) == {"b": "a", "c": "a"}
