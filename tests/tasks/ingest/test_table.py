import base64
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sightline.errors import UsageError
from sightline.ids import image_id
from tasks.ingest.kinds import open_source
from tests.tasks.ingest.ingested import Ingested, Picture, ingest

COLUMNS = {"question": "q", "image": "image"}


def uri(data: bytes) -> str:
    return "data:image/png;base64," + base64.b64encode(data).decode()


def stored_ids(found: Ingested):
    return sorted(found.images["image_id"].to_pylist())


@pytest.mark.parametrize("kind", ["bytes", "struct", "uri", "lines", "list"])
def test_table_images_inside_the_table_are_read_back(tmp_path: Path, picture: Picture, kind: str):
    data = [picture(n) for n in range(5)]
    cell = {
        "bytes": lambda d: d,
        "struct": lambda d: {"bytes": d, "path": "x.png"},
        "list": lambda d: [d],
    }.get(kind, uri)
    rows = [{"q": f"{n}?", "image": cell(d)} for n, d in enumerate(data)]
    path = tmp_path / "rows"
    if kind == "lines":
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    else:
        pq.write_table(pa.Table.from_pylist(rows), path, row_group_size=2)
    found = ingest("table", {"path": str(path), "columns": COLUMNS}, part_rows=2)
    assert found.codes == {}
    assert stored_ids(found) == sorted(image_id(d) for d in data)


def test_table_several_images_per_row_keep_their_order(tmp_path: Path, picture: Picture):
    data = [picture(n) for n in range(3)]
    rows = [{"q": "?", "image": [data[0], data[2]]}, {"q": "?", "image": [data[1], data[2]]}]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "rows")
    found = ingest("table", {"path": str(tmp_path / "rows"), "columns": COLUMNS}, part_rows=1)
    assert found.samples["image_ids"].to_pylist() == [
        [image_id(data[0]), image_id(data[2])],
        [image_id(data[1]), image_id(data[2])],
    ]
    assert stored_ids(found) == sorted(image_id(d) for d in data)


def test_table_file_that_changed_after_listing_is_a_failure(tmp_path: Path, picture: Picture):
    path = tmp_path / "rows"
    pq.write_table(pa.Table.from_pylist([{"q": "?", "image": picture(1)}]), path)
    source = open_source("table", "data", {"path": str(path), "columns": COLUMNS})
    rows = list(source.rows())
    pq.write_table(pa.Table.from_pylist([{"q": "?", "image": "gone"}]), path)
    (loaded,) = source.load(rows)
    assert loaded.images[0].problem is not None


def test_table_oversized_data_uri_is_refused_before_decoding(tmp_path: Path, picture: Picture):
    (tmp_path / "rows").write_text(json.dumps({"q": "?", "image": uri(picture(1))}))
    options = {"path": str(tmp_path / "rows"), "columns": COLUMNS, "max_bytes": 20}
    assert ingest("table", options).codes == {"image_too_large": 1}


def test_table_images_inside_a_json_array_ask_for_lines(tmp_path: Path, picture: Picture):
    (tmp_path / "rows").write_text(json.dumps([{"q": "?", "image": uri(picture(1))}]))
    found = ingest("table", {"path": str(tmp_path / "rows"), "columns": COLUMNS})
    assert found.codes == {"row_malformed": 1}
    assert "JSON Lines" in found.failures["detail"][0].as_py()


def test_table_row_without_a_mapped_column_is_malformed(tmp_path: Path):
    (tmp_path / "rows").write_text('{"image": "a.png"}')
    found = ingest("table", {"path": str(tmp_path / "rows"), "columns": COLUMNS})
    assert found.codes == {"row_malformed": 1}
    assert "expected a field 'q'" in found.failures["detail"][0].as_py()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"columns": {"answer": "a"}}, "at least 'question' or 'image'"),
        ({"columns": {"question": "q", "colour": "c"}}, "only"),
        ({"columns": {"question": "q", "boxes": "b"}}, "box_convention must be one of"),
        ({"columns": {"question": "q", "boxes": "b"}, "box_convention": "xywh"}, "found 'xywh'"),
        ({"columns": {"question": "q"}, "colour": 1}, r"unknown: \['colour'\]"),
        ({"columns": "q"}, "must be Mapping"),
        ({"columns": {"question": "q"}, "limit": 0}, "at least 1"),
        ({"columns": {"question": "q"}, "limit": True}, "must be"),
    ],
)
def test_open_source_wrong_options_say_what_is_expected(
    tmp_path: Path, options: dict[str, Any], message: str
):
    (tmp_path / "rows").touch()
    with pytest.raises(UsageError, match=message):
        open_source("table", "data", {"path": str(tmp_path / "rows")} | options)


@pytest.mark.parametrize(
    ("kind", "options", "message"),
    [
        ("csv", {}, "must be one of"),
        ("visual_cot", {}, r"missing: \['path'\]"),
        ("visual_cot", {"path": "/none"}, "expected a file"),
        ("visual_cot", {"path": __file__, "form": "x"}, "form must be one of"),
        ("visual_cot", {"path": __file__, "images": "/none"}, "expected a folder"),
        ("image_folder", {"path": "/none"}, "expected a folder"),
        ("scenes", {"n": -1}, "n must be"),
        ("scenes", {"n": 1, "copies": 2}, "copies must be a share"),
        ("scenes", {"n": "1"}, "must be int"),
    ],
)
def test_open_source_unusable_source_is_a_usage_error(
    kind: str, options: dict[str, Any], message: str
):
    with pytest.raises(UsageError, match=message):
        open_source(kind, "data", options)


def test_open_source_without_a_name_is_a_usage_error():
    with pytest.raises(UsageError, match="needs a name"):
        open_source("scenes", "", {"n": 1})
