import json
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from PIL import Image

from sightline.ids import image_id, missing_image_ref, sample_id
from tasks.ingest.image_facts import ImageLimits
from tests.tasks.ingest.ingested import Picture, ingest

COLUMNS = {"question": "q", "answer": "a", "image": "image", "boxes": "boxes", "width": "w",
           "height": "h", "source_key": "id"}  # fmt: skip


Write = Callable[..., dict[str, Any]]


@pytest.fixture
def table(tmp_path: Path, picture: Picture):
    """Writes rows and returns the options of a table source over them."""
    (tmp_path / "images").mkdir()
    for name, data in {
        "a.png": picture(1),
        "b.png": picture(2),
        "turned.jpg": picture(3, kind="JPEG", orientation=6),
        "short.png": picture(4)[:60],
    }.items():
        (tmp_path / "images" / name).write_bytes(data)

    def write(*rows: dict) -> dict:
        full = [dict.fromkeys(COLUMNS.values()) | {"q": "Which?", "a": "this"} | r for r in rows]
        path = tmp_path / "rows.jsonl"
        path.write_text("".join(json.dumps(r) + "\n" for r in full))
        images = str(tmp_path / "images")
        return {"path": str(path), "columns": COLUMNS, "images": images, "box_convention": "px"}

    return write


def test_ingest_part_good_row_becomes_image_and_sample(table: Write, picture: Picture):
    found = ingest("table", table({"image": "a.png", "boxes": [[1, 2, 50, 9]], "w": 40, "h": 30}))
    (sample,), (image,) = found.samples.to_pylist(), found.images.to_pylist()
    key = image_id(picture(1))
    assert (image["image_id"], image["bytes"], image["format"]) == (key, picture(1), "png")
    assert (image["width"], image["height"], image["source_key"]) == (40, 30, "a.png")
    assert (sample["image_ids"], sample["boxes"]) == ([key], [[1.0, 2.0, 40.0, 9.0]])
    assert (sample["n_boxes_clipped"], sample["box_convention"]) == (1, "px")
    assert sample["sample_id"] == sample_id(
        "data", "Which?", "this", [key], boxes=[(1.0, 2.0, 50.0, 9.0)]
    )


@pytest.mark.parametrize(
    ("row", "code"),
    [
        ({"image": "short.png"}, "image_truncated"),
        ({"image": "none.png"}, "image_missing"),
        ({"image": "../rows.jsonl"}, "path_outside_source"),
        ({"image": "https://x.org/a.png"}, "path_outside_source"),
        ({"image": "a.png", "boxes": [[1, 2, 3]]}, "box_malformed"),
        ({"image": "a.png", "boxes": [[3, 3, 3, 5]]}, "box_degenerate"),
        ({"image": "a.png", "boxes": [[1, 1, 3, 5], [50, 3, 60, 5]]}, "box_outside"),
        ({"image": "a.png", "w": 41, "h": 30}, "image_size_mismatch"),
        ({"image": "a.png", "w": 30, "h": 40}, "image_size_mismatch"),
        ({"image": "a.png", "q": ["x"]}, "row_malformed"),
        ({"image": 7}, "row_malformed"),
        ({"image": None}, "row_malformed"),
        ({"image": "data:image/png;base64,%%"}, "row_malformed"),
    ],
)
def test_ingest_part_bad_row_is_a_typed_failure_and_others_go_on(
    table: Write, row: dict[str, Any], code: str
):
    found = ingest("table", table(row, {"image": "b.png"}))
    assert found.codes == {code: 1}
    assert found.samples.num_rows == found.images.num_rows == 1


def test_ingest_part_declared_sides_swapped_by_exif_turns_the_boxes(table: Write):
    upright = {"image": "turned.jpg", "w": 30, "h": 40, "boxes": [[20, 5, 29, 35]], "id": "u"}
    stored = {"image": "turned.jpg", "w": 40, "h": 30, "boxes": [[5, 1, 35, 10]], "id": "s"}
    found = ingest("table", table(upright, stored, {"image": "a.png"}))
    assert found.codes == {"row_duplicated": 1}, "both statements are the same box"
    first = found.samples.to_pylist()[0]
    assert (first["image_width"], first["image_height"]) == (30, 40)
    assert first["boxes"] == [[20.0, 5.0, 29.0, 35.0]]


def test_ingest_part_limits_refuse_large_and_small_images(table: Write):
    rows = table({"image": "a.png"})
    assert ingest("table", rows, limits=ImageLimits(max_pixels=1199)).codes == {
        "image_too_large": 1
    }
    assert ingest("table", rows, limits=ImageLimits(min_side=31)).codes == {"image_too_small": 1}
    assert ingest("table", rows, limits=ImageLimits(max_pixels=1200, min_side=30)).codes == {}


def test_ingest_part_rows_of_one_image_store_it_once_even_under_two_names(
    table: Write, tmp_path: Path, picture: Picture
):
    options = table({"image": "a.png"}, {"image": "copy.png"}, {"image": "copy.png", "q": "What?"})
    (tmp_path / "images" / "copy.png").write_bytes(picture(1))
    found = ingest("table", options)
    assert found.images.num_rows == 1
    assert (found.samples.num_rows, found.codes) == (2, {"row_duplicated": 1})


def test_ingest_part_image_without_a_usable_row_is_not_stored(table: Write):
    found = ingest("table", table({"image": "a.png", "boxes": [[3, 3, 3, 5]]}))
    assert found.images.num_rows == 0


def test_ingest_part_second_build_finds_nothing_and_a_late_file_is_tried_again(
    table: Write, tmp_path: Path, picture: Picture
):
    options = table({"image": "a.png"}, {"image": "late.png"})
    first = ingest("table", options)
    assert ingest("table", options, known=first.known()).plans == []
    (tmp_path / "images" / "late.png").write_bytes(picture(9))
    second = ingest("table", options, known=first.known())
    assert (second.samples.num_rows, second.images.num_rows, second.codes) == (1, 1, {})


def test_ingest_part_changed_label_of_a_known_sample_is_reported_not_written_twice(table: Write):
    first = ingest("table", table({"image": "a.png", "id": "old"}))
    second = ingest("table", table({"image": "a.png", "id": "new"}), known=first.known())
    assert (second.samples.num_rows, second.images.num_rows) == (0, 0)
    assert second.codes == {"row_duplicated": 1}


def test_ingest_part_threads_and_row_order_do_not_change_the_rows(table: Write):
    rows = [{"image": name, "q": q} for q in ("x", "y") for name in ("a.png", "b.png", "none.png")]
    one = ingest("table", table(*rows), threads=1)
    many = ingest("table", table(*rows), threads=4, part_rows=1)
    turned = ingest("table", table(*rows[::-1]))
    assert one.samples.equals(ingest("table", table(*rows), threads=4).samples)
    for other in (many, turned):
        for name, key in (
            ("samples", "sample_id"),
            ("images", "image_id"),
            ("failures", "item_id"),
        ):
            assert getattr(one, name).sort_by(key).equals(getattr(other, name).sort_by(key))


def test_ingest_part_row_without_image_keeps_its_declared_name_and_size(table: Write):
    options = table({"image": "x.png", "w": 9, "h": 8}, {"image": "y.png", "w": 9, "h": 8})
    del options["images"]
    found = ingest("table", options)
    assert found.codes == {}
    assert found.samples["image_ids"].to_pylist() == [[], []]
    assert found.samples["sample_id"].to_pylist() == [
        sample_id("data", "Which?", "this", [missing_image_ref(name, 9, 8)])
        for name in ("x.png", "y.png")
    ]


@pytest.mark.parametrize(
    ("answer", "kind"),
    [("Yes", "yes_no"), ("no.", "yes_no"), ("12", "number"), ("1,234.5", "number"),
     ("-3%", "number"), ("02134", "text"), ("5 km", "text"), ("12/3", "text"), (None, None)],
)  # fmt: skip
def test_ingest_part_answer_kind_follows_the_form_of_the_answer(
    table: Write, answer: str | None, kind: str | None
):
    (sample,) = ingest("table", table({"image": "a.png", "a": answer})).samples.to_pylist()
    assert sample["answer_kind"] == kind


def test_ingest_part_chunks_are_bounded_by_rows(monkeypatch: pytest.MonkeyPatch, table: Write):
    monkeypatch.setattr("tasks.ingest.part.CHUNK_ROWS", 2)
    found = ingest("table", table(*({"image": "a.png", "q": str(n)} for n in range(7))))
    assert (found.samples.num_rows, found.images.num_rows) == (7, 1)
    assert isinstance(found.samples, pa.Table)


def test_ingest_part_first_frame_and_format_by_content(tmp_path: Path):
    out = BytesIO()
    frames = [Image.new("RGB", (8, 8), c) for c in ("red", "blue")]
    frames[0].save(out, "GIF", save_all=True, append_images=frames[1:])
    (tmp_path / "wrong.jpg").write_bytes(out.getvalue())
    (image,) = ingest("image_folder", {"path": str(tmp_path)}).images.to_pylist()
    assert (image["format"], image["n_frames"]) == ("gif", 2)
