"""Pictures beyond the limit: refused, shrunk or cut, with their boxes and where they come from."""

import json
from collections.abc import Callable
from hashlib import sha256
from io import BytesIO
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from infra.images.decode import decode
from sightline.errors import UsageError
from tasks.ingest.image_facts import ImageLimits, Oversize
from tasks.ingest.oversize import tile_boxes
from tests.tasks.ingest.clips import clip
from tests.tasks.ingest.ingested import Ingested, ingest

SHRINK = ImageLimits(max_pixels=10_000, oversize=Oversize.SHRINK)
TILES = ImageLimits(max_pixels=10_000, oversize=Oversize.TILES, tile_px=100, tile_overlap_px=20)
Write = Callable[..., dict[str, Any]]


def large(kind: str = "PNG", orientation: int = 1) -> bytes:
    """Return a 300 x 200 picture whose pixels tell their place: x / 2 in red, y in green."""
    rgb = np.zeros((200, 300, 3), np.uint8)
    rgb[..., 0], rgb[..., 1] = np.arange(300)[None] // 2, np.arange(200)[:, None]
    exif, out = Image.Exif(), BytesIO()
    exif[0x0112] = orientation
    Image.fromarray(rgb).save(out, kind, exif=exif)
    return out.getvalue()


@pytest.fixture
def table(tmp_path: Path) -> Write:
    """Writes rows about `large.png` and returns the options of a table source over them."""
    (tmp_path / "large.png").write_bytes(large())
    (tmp_path / "turned.jpg").write_bytes(large("JPEG", 6))
    (tmp_path / "small.png").write_bytes(small())

    def write(*rows: dict[str, Any]) -> dict[str, Any]:
        empty = dict.fromkeys(("image", "q", "a", "boxes", "w", "h"))
        full = [empty | {"image": "large.png"} | row for row in rows]
        path = tmp_path / "rows.jsonl"
        path.write_text("".join(json.dumps(row) + "\n" for row in full))
        columns = {"image": "image", "question": "q", "answer": "a", "boxes": "boxes",
                   "width": "w", "height": "h"}  # fmt: skip
        return {"path": str(path), "columns": columns, "images": str(tmp_path),
                "box_convention": "px"}  # fmt: skip

    return write


def small() -> bytes:
    out = BytesIO()
    Image.new("RGB", (50, 40), "red").save(out, "PNG")
    return out.getvalue()


def origins(found: Ingested) -> list[list[float]]:
    return [row["origin_box"] for row in found.images.to_pylist()]


def test_oversize_picture_is_refused_by_default(table: Write):
    found = ingest("table", table({}), limits=ImageLimits(max_pixels=10_000))
    assert (found.codes, found.images.num_rows) == ({"image_too_large": 1}, 0)


def test_shrunk_picture_says_what_it_was_and_its_boxes_shrink_with_it(table: Write):
    row = {"q": "Which?", "a": "this", "w": 300, "h": 200, "boxes": [[30, 40, 330, 100]]}
    found = ingest("table", table(row), limits=SHRINK)
    (image,), (sample,) = found.images.to_pylist(), found.samples.to_pylist()
    assert (image["width"], image["height"], image["format"]) == (122, 81, "png")
    assert (image["origin_width"], image["origin_height"]) == (300, 200)
    assert image["origin_box"] == [0.0, 0.0, 300.0, 200.0]
    assert image["origin_sha"] == sha256(large()).hexdigest()
    assert image["image_id"] == sha256(image["bytes"]).hexdigest()
    assert image["source_key"] == "large.png"
    assert (sample["image_width"], sample["image_height"]) == (122, 81)
    assert sample["boxes"] == [pytest.approx([12.2, 16.2, 122.0, 40.5])]
    assert sample["n_boxes_clipped"] == 1
    rgb = decode(image["bytes"]).rgb
    assert rgb[40, 61].tolist() == pytest.approx([75, 100, 0], abs=2)


def test_shrunk_photo_is_upright_and_a_jpeg(table: Write):
    row = {"image": "turned.jpg", "w": 300, "h": 200, "boxes": [[0, 0, 30, 20]]}
    found = ingest("table", table(row), limits=SHRINK)
    (image,), (sample,) = found.images.to_pylist(), found.samples.to_pylist()
    assert (image["format"], image["width"], image["height"]) == ("jpeg", 81, 122)
    assert (image["exif_orientation"], image["origin_width"]) == (1, 200)
    assert sample["boxes"] == [pytest.approx([72.9, 0.0, 81.0, 12.2])], "turned with the photo"


def test_tiles_cover_the_picture_and_are_its_pixels(table: Write):
    found = ingest("table", table({}), limits=TILES)
    assert found.samples.num_rows == found.images.num_rows == 12
    seen = np.zeros((200, 300), bool)
    whole = decode(large()).rgb
    for row in found.images.to_pylist():
        x0, y0, x1, y1 = (int(side) for side in row["origin_box"])
        seen[y0:y1, x0:x1] = True
        assert np.array_equal(decode(row["bytes"]).rgb, whole[y0:y1, x0:x1])
        assert (row["width"], row["height"]) == (100, 100)
        assert row["parent_image_id"] is None
    assert seen.all()
    assert [s["image_ids"] for s in found.samples.to_pylist()] == [
        [image] for image in found.images["image_id"].to_pylist()
    ]


def test_tiles_without_a_question_each_carry_the_boxes_they_show(table: Write):
    found = ingest("table", table({"boxes": [[10, 10, 30, 30], [90, 10, 120, 30]]}), limits=TILES)
    boxes = dict(zip(map(tuple, origins(found)), found.samples["boxes"].to_pylist(), strict=True))
    first, second = (0.0, 0.0, 100.0, 100.0), (66.0, 0.0, 166.0, 100.0)
    assert boxes[first] == [[10.0, 10.0, 30.0, 30.0]], "a third of the other is too little"
    assert boxes[second] == [[24.0, 10.0, 54.0, 30.0]]
    assert sum(b is not None for b in boxes.values()) == 2


def test_tiles_question_with_boxes_goes_to_the_tile_that_shows_them_best(table: Write):
    row = {"q": "Which?", "a": "this", "boxes": [[100, 40, 120, 60]]}
    found = ingest("table", table(row), limits=TILES)
    (sample,) = found.samples.to_pylist()
    assert sample["boxes"] == [[34.0, 40.0, 54.0, 60.0]]
    assert found.images.num_rows == 12, "rows that come later may ask about the other tiles"
    (image,) = (r for r in found.images.to_pylist() if r["image_id"] == sample["image_ids"][0])
    assert image["origin_box"] == [66.0, 0.0, 166.0, 100.0]


@pytest.mark.parametrize(
    "row",
    [
        {"q": "Which?", "a": "this", "boxes": [[0, 0, 10, 10], [280, 180, 290, 190]]},
        {"q": "Which?", "a": "this"},
        {"image": ["large.png", "small.png"]},
    ],
    ids=["boxes far apart", "answer without a box", "two images"],
)
def test_tiles_row_that_no_tile_can_answer_is_refused(table: Write, row: dict[str, Any]):
    found = ingest("table", table(row, {"image": "small.png"}), limits=TILES)
    assert (found.codes, found.samples.num_rows) == ({"image_too_large": 1}, 1)


def test_tiles_question_for_all_pictures_is_asked_of_every_tile(tmp_path: Path):
    (tmp_path / "a.png").write_bytes(large())
    options = {"path": str(tmp_path), "question": "What is here?"}
    found = ingest("image_folder", options, limits=TILES)
    assert found.samples["question"].to_pylist() == ["What is here?"] * 12


def test_tiles_of_a_blank_picture_stay_as_many_images(tmp_path: Path):
    Image.new("RGB", (300, 200), "white").save(tmp_path / "a.png")
    found = ingest("image_folder", {"path": str(tmp_path)}, limits=TILES)
    assert len(set(found.images["image_id"].to_pylist())) == 12
    assert len(set(found.images["pixel_sha"].to_pylist())) == 1


@pytest.mark.parametrize("limits", [SHRINK, TILES], ids=["shrink", "tiles"])
def test_oversize_again_gives_the_same_bytes_and_nothing_new(table: Write, limits: ImageLimits):
    rows = [{"q": str(n)} for n in range(3)]
    first = ingest("table", table(*rows), limits=limits, threads=1)
    again = ingest("table", table(*rows), limits=limits, threads=3, part_rows=1)
    assert first.images.sort_by("image_id").equals(again.images.sort_by("image_id"))
    assert first.samples.sort_by("sample_id").equals(again.samples.sort_by("sample_id"))
    assert ingest("table", table(*rows), limits=limits, known=first.known()).plans == []
    later = ingest("table", table(*rows, {"q": "new"}), limits=limits, known=first.known())
    assert later.images.num_rows == 0
    stored = set(first.images["image_id"].to_pylist())
    assert {i for ids in later.samples["image_ids"].to_pylist() for i in ids} <= stored


def test_oversize_policy_leaves_other_pictures_as_they_are(table: Write):
    found = ingest("table", table({"image": "small.png"}), limits=TILES)
    (image,) = found.images.to_pylist()
    assert (image["bytes"], image["origin_sha"]) == (small(), None)


def test_oversize_damaged_picture_is_a_typed_failure(tmp_path: Path):
    (tmp_path / "cut.png").write_bytes(large()[: len(large()) // 2])
    (tmp_path / "bad.png").write_bytes(b"no picture")
    for limits in (SHRINK, TILES):
        found = ingest("image_folder", {"path": str(tmp_path)}, limits=limits)
        assert found.codes == {"image_truncated": 1, "image_unreadable": 1}


def test_oversize_frames_of_a_video_are_cut_and_keep_their_time(tmp_path: Path):
    path = clip(tmp_path / "a.mkv", size=(192, 128))
    found = ingest("video", {"path": str(path), "every_s": 1}, limits=TILES)
    assert found.codes == {}
    times = found.images["origin_time_s"].to_pylist()
    assert times == [0.0] * (len(times) // 2) + [1.0] * (len(times) // 2)
    assert set(found.images["origin_sha"].to_pylist()) == {sha256(path.read_bytes()).hexdigest()}
    assert set(found.images["origin_width"].to_pylist()) == {192}


@given(st.integers(1, 5000), st.integers(1, 5000), st.integers(64, 900), st.data())
def test_tile_boxes_cover_everything_with_the_overlap_asked_for(
    width: int, height: int, side: int, data: st.DataObject
):
    overlap = data.draw(st.integers(0, side // 2))
    boxes = tile_boxes(width, height, side, overlap)
    for axis, length in ((0, width), (1, height)):
        spans = sorted({(box[axis], box[axis + 2]) for box in boxes})
        assert (spans[0][0], spans[-1][1]) == (0, length)
        assert {b - a for a, b in spans} == {min(side, length)}
        assert all(one[1] - two[0] >= overlap for one, two in pairwise(spans))
    assert len(set(boxes)) == len(boxes)


@pytest.mark.parametrize(
    "options",
    [{"tile_px": 63}, {"tile_px": 101}, {"tile_overlap_px": 51}, {"tile_overlap_px": -1}],
)
def test_tiles_that_cannot_work_are_refused(options: dict[str, int]):
    values = {"max_pixels": 10_000, "tile_px": 100, "tile_overlap_px": 20} | options
    with pytest.raises(UsageError, match="tile"):
        ImageLimits(oversize=Oversize.TILES, **values)
