import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from sightline.errors import SourceError
from tasks.dedup.semantic.labels import LabelledPairs, read_pairs
from tasks.dedup.semantic.params import Kind

TEXTS = {"label": 1, "text1": "a red cup", "text2": "one red cup"}
OTHER = {"label": 0, "text1": "a red cup", "text2": "a blue dog"}


def written(folder: Path, *rows: Any) -> Path:
    path = folder / "pairs.jsonl"
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows) + "\n")
    return path


def nothing_stored(_: list[str]) -> dict[str, bytes]:
    return {}


def texts_of(pairs: LabelledPairs) -> list[str]:
    return [text for batch in pairs.batches() for text in batch["text"].to_pylist()]


def test_texts_are_embedded_once_each_under_their_hash(tmp_path: Path):
    pairs = read_pairs(written(tmp_path, TEXTS, OTHER), Kind.SAMPLE, nothing_stored)
    assert [pair.label for pair in pairs.pairs] == [True, False]
    assert sorted(texts_of(pairs)) == ["a blue dog", "a red cup", "one red cup"]
    assert {hashlib.sha256(data).hexdigest() for data in pairs.contents.values()} == {
        *pairs.contents
    }


def test_hash_of_the_pairs_is_that_of_their_content_in_any_order(tmp_path: Path):
    turned = {"label": 0, "text1": OTHER["text2"], "text2": OTHER["text1"], "note": "x"}
    one = read_pairs(written(tmp_path, TEXTS, OTHER), Kind.CHAIN, nothing_stored).sha256
    assert one == read_pairs(written(tmp_path, turned, TEXTS), Kind.CHAIN, nothing_stored).sha256
    wrong = TEXTS | {"label": 0}
    assert one != read_pairs(written(tmp_path, wrong, OTHER), Kind.CHAIN, nothing_stored).sha256


def test_rows_that_say_their_kind_need_no_option_and_others_are_left_out(tmp_path: Path):
    chain = TEXTS | {"kind": "chain"}
    assert read_pairs(written(tmp_path, chain), None, nothing_stored).kind is Kind.CHAIN
    both = written(tmp_path, chain, OTHER | {"kind": "sample"})
    assert len(read_pairs(both, Kind.SAMPLE, nothing_stored).pairs) == 1


def test_pictures_are_files_beside_the_list_or_images_of_the_lake(tmp_path: Path):
    (tmp_path / "a.png").write_bytes(b"A")
    (tmp_path / "b.png").write_bytes(b"B")
    files = {"label": 1, "image1": "a.png", "image2": "b.png"}
    items = {"label": 0, "kind": "image", "item1": "i1", "item2": "i2"}
    stored = {"i1": b"A", "i2": b"C"}
    pairs = read_pairs(
        written(tmp_path, files, items), None, lambda ids: {i: stored[i] for i in ids}
    )
    assert pairs.kind is Kind.IMAGE
    assert sorted(pairs.contents.values()) == [b"A", b"B", b"C"]


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ({"label": 2, "text1": "a", "text2": "b"}, "whose label is 0 or 1"),
        ({"label": None, "text1": "a", "text2": "b"}, "whose label is 0 or 1"),
        ([1], "whose label is 0 or 1"),
        ({"label": 1, "text1": "a"}, "expected text1 and text2"),
        ({"label": 1, "text1": "a", "text2": " "}, "expected text1 and text2"),
        ({"label": 1, "kind": "chain", "text1": "a", "text2": "b"}, "of kind sample, found none"),
    ],
)
def test_row_that_is_no_labelled_pair_is_told(tmp_path: Path, row: Any, told: str):
    with pytest.raises(SourceError, match=told):
        read_pairs(written(tmp_path, row), Kind.SAMPLE, nothing_stored)


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ({"label": 1, "image1": "a.png", "image2": "gone.png"}, "expected a picture at"),
        ({"label": 1, "item1": "i1", "item2": "i2"}, "the lake holds no image"),
        ({"label": 1, "text1": "a", "text2": "b"}, "image1 and image2 or item1 and item2"),
    ],
)
def test_picture_that_is_not_there_is_told(tmp_path: Path, row: dict[str, Any], told: str):
    with pytest.raises(SourceError, match=told):
        read_pairs(written(tmp_path, row), Kind.IMAGE, nothing_stored)


def test_kind_that_nobody_says_is_asked_for(tmp_path: Path):
    with pytest.raises(SourceError, match="expected --kind"):
        read_pairs(written(tmp_path, TEXTS), None, nothing_stored)


def test_file_that_is_no_jsonl_is_told(tmp_path: Path):
    with pytest.raises(SourceError, match="JSONL"):
        read_pairs(tmp_path / "none.jsonl", Kind.SAMPLE, nothing_stored)
    (tmp_path / "pairs.jsonl").write_text('{"label": 1,\n')
    with pytest.raises(SourceError, match="line 1: expected a JSON object"):
        read_pairs(tmp_path / "pairs.jsonl", Kind.SAMPLE, nothing_stored)
