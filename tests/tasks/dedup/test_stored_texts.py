"""Keyed texts of a lake: what is read of them, and in which order it comes."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from infra.lake.lake import Lake
from sightline.errors import LakeError
from sightline.schemas import TEXT_KEYS
from tasks.dedup.key_rows import key_rows
from tasks.dedup.settle.columns import jaccard_of
from tasks.dedup.settle.similarity import Jaccard
from tasks.dedup.stored_texts import StoredTexts
from tasks.dedup.texts import TEXTS
from tasks.text_keys.keys import TextKeyParams
from tests.factories import commit

WORDS = ["please", "look", "at", "the", "table", "by", "the", "window", "and", "go", "on", "then"]


def keys(*ids: str, text: str = "") -> pa.Table:
    rows = [
        {"item_id": i, "text": text or " ".join(WORDS[: 4 + int(i[1:])]), "group_key": "g"}
        for i in ids
    ]
    return key_rows(pa.Table.from_pylist(rows, TEXTS), "chain", TextKeyParams())


def lists(found: Jaccard) -> list[list[int]]:
    return [x.tolist() for x in np.split(found.shingles, found.offsets[1:-1])]


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    made = Lake(tmp_path)
    for part, rows in {"a": keys("c4", "c1"), "b": keys("c3", "c0"), "z": keys("c9")}.items():
        commit(made, TEXT_KEYS, rows, part)
    return made


def test_texts_of_the_parts_asked_for_are_there_once(lake: Lake):
    commit(lake, TEXT_KEYS, keys("c1", "c5", text="another text"), "c")
    texts = StoredTexts(lake, ["a", "b", "c"]).meeting({})
    assert texts.item_ids.to_pylist() == ["c4", "c1", "c3", "c0", "c5"]
    assert texts.bands.shape == (5, 16)
    first = keys("c1")["exact_key"].to_pylist()
    assert texts.exact[1:2].tolist() == first


@pytest.mark.parametrize("ids", [["c4", "c1", "c3"], ["c0", "c4"], ["c1", "c0", "c4", "c3"], []])
def test_evidence_comes_in_the_order_of_the_ids(lake: Lake, ids: list[str]):
    stored = StoredTexts(lake, ["a", "b"])
    stored.meeting({})
    found = stored.compared(pa.array(ids, pa.large_string()), 0.8)
    expected = jaccard_of(keys(*ids), 0.8)
    assert lists(found) == lists(expected)
    assert found.signature.tolist() == expected.signature.tolist()


def test_part_without_a_word_stands_beside_others(lake: Lake):
    commit(lake, TEXT_KEYS, keys("c7", "c8", text="?"), "b2")
    texts = StoredTexts(lake, ["a", "b2", "b"]).meeting({})
    assert dict(zip(texts.item_ids.to_pylist(), texts.has_bands.tolist(), strict=True)) == {
        "c4": True, "c1": True, "c7": False, "c8": False, "c3": True, "c0": True,
    }  # fmt: skip


def test_no_parts_are_no_texts(lake: Lake):
    stored = StoredTexts(lake, [])
    assert len(stored.meeting({})) == 0
    assert len(stored.compared(pa.array([], pa.large_string()), 0.8)) == 0


def test_part_that_is_replaced_between_the_two_reads_is_an_error(lake: Lake):
    stored = StoredTexts(lake, ["a", "b"])
    stored.meeting({})
    lake.drop(TEXT_KEYS, "b")
    with pytest.raises(LakeError, match="another run"):
        stored.compared(pa.array(["c4", "c3"], pa.large_string()), 0.8)
