"""Settling with a memory of the last time: the rows are those of settling from nothing."""

import os
import tempfile
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infra.lake.lake import Lake
from infra.lake.objects import open_store
from tasks.dedup.key_rows import key_rows
from tasks.dedup.meeting import MeetingTexts
from tasks.dedup.near import near_duplicates, settled_texts
from tasks.dedup.params import ChainDedupParams
from tasks.dedup.rules import chain_rule
from tasks.dedup.settle.columns import jaccard_of
from tasks.dedup.settle.memory import Memory, NoMemory
from tasks.dedup.settle.similarity import Jaccard
from tasks.dedup.stored_memory import FOLDER, StoredMemory, delete_abandoned
from tasks.dedup.texts import TEXTS

RULE = chain_rule(ChainDedupParams(similarity=0.6, leaders=2))
WORDS = "please look at the table near the window and follow its edge to the small cup over there"
WORDINGS = [WORDS.replace(word, word + "s", 1) for word in WORDS.split()] + ["", "a cup"]
IMAGES = ["i0", "i1", "i2"]

Rows = dict[str, dict[str, Any]]
"""Text, image and priority of each item."""

row = st.fixed_dictionaries(
    {
        "text": st.sampled_from(WORDINGS),
        "image": st.sampled_from(IMAGES),
        "priority": st.integers(-1, 1),
    }
)
lake = st.dictionaries(st.sampled_from([f"c{n:02d}" for n in range(40)]), row, max_size=30)
clusters = st.dictionaries(st.sampled_from(IMAGES), st.just("i0"))
history = st.lists(st.tuples(lake, clusters), min_size=2, max_size=4)


class Run:
    """One settlement of some rows, and what it compared."""

    def __init__(self, rows: Rows, stands: dict[str, str], memory: Memory) -> None:
        listed = [
            {"item_id": item, "text": r["text"], "group_key": "g", "image_ids": [r["image"]]}
            for item, r in rows.items()
        ]
        self._keys = key_rows(pa.Table.from_pylist(listed, TEXTS), "chain", RULE.keys)
        self.compared_ids: list[str] = []
        texts = MeetingTexts.of([self._keys], stands)
        priority = np.array([r["priority"] for r in rows.values()], np.int64)
        settled = settled_texts(texts, priority, self._compared, RULE, memory)
        self.rows = near_duplicates(settled, texts, RULE)

    def _compared(self, ids: pa.Array, tau: float) -> Jaccard:
        self.compared_ids += ids.to_pylist()
        known = self._keys["item_id"].cast(ids.type).combine_chunks()
        return jaccard_of(self._keys.take(pc.index_in(ids, value_set=known)), tau)


def memory_in(folder: str | Path, rule: str = RULE.algorithm) -> StoredMemory:
    return StoredMemory(open_store(folder), "chain", rule)


def said(*wordings: str, **more: Any) -> Rows:
    plain = {"image": "i0", "priority": 0} | more
    return {f"c{n:02d}": {"text": text} | plain for n, text in enumerate(wordings)}


@settings(deadline=None, max_examples=60)
@given(history)
def test_any_history_of_a_lake_gives_the_rows_of_settling_from_nothing(history: Any):
    with tempfile.TemporaryDirectory() as folder:
        for rows, stands in history:
            again = Run(rows, stands, memory_in(folder))
            assert again.rows.equals(Run(rows, stands, NoMemory()).rows)


def test_unchanged_texts_are_not_compared_again_and_new_ones_only_where_they_meet(tmp_path: Path):
    rows = said(*WORDINGS[:4]) | {"other": said(WORDS, image="i1")["c00"]}
    assert Run(rows, {}, memory_in(tmp_path)).compared_ids
    assert Run(rows, {}, memory_in(tmp_path)).compared_ids == []
    grown = Run(rows | {"more": said(WORDS, image="i1")["c00"]}, {}, memory_in(tmp_path))
    assert sorted(grown.compared_ids) == ["more", "other"]


def test_images_that_become_one_picture_bring_texts_together(tmp_path: Path):
    rows = said(WORDS) | {"c09": said(WORDS, image="i1")["c00"]}
    assert Run(rows, {}, memory_in(tmp_path)).rows.num_rows == 0
    assert Run(rows, {"i1": "i0"}, memory_in(tmp_path)).rows.num_rows == 2
    assert Run(rows, {}, memory_in(tmp_path)).rows.num_rows == 0


def test_text_that_says_the_other_under_the_same_id_is_compared_anew(tmp_path: Path):
    rows = said(WORDS, WORDS)
    assert Run(rows, {}, memory_in(tmp_path)).rows.num_rows == 2
    assert Run(said(WORDS, "a cup"), {}, memory_in(tmp_path)).rows.num_rows == 0


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])


def flipped(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def emptied(path: Path) -> None:
    path.write_bytes(b"")


def of_another_rule(path: Path) -> None:
    other = chain_rule(ChainDedupParams(similarity=0.9))
    memory = memory_in(path.parents[2], other.algorithm)
    settled_texts(MeetingTexts.of([], {}), np.empty(0, np.int64), no_texts, other, memory)
    path.write_bytes((path.parents[2] / memory.key).read_bytes())


def no_texts(ids: pa.Array, tau: float) -> Jaccard:
    raise AssertionError((ids, tau))


def blocked(path: Path) -> None:
    path.unlink()
    path.mkdir()


@pytest.mark.parametrize("harm", [cut, flipped, emptied, of_another_rule, blocked, Path.unlink])
def test_state_that_cannot_be_used_means_settling_from_nothing(
    tmp_path: Path, harm: Callable[[Path], None]
):
    rows, memory = said(*WORDINGS[:6]), memory_in(tmp_path)
    before = Run(rows, {}, memory)
    harm(tmp_path / memory.key)
    again = Run(rows, {}, memory)
    assert again.rows.equals(before.rows)
    assert again.compared_ids == before.compared_ids


@pytest.mark.s3
def test_state_in_a_bucket_saves_the_same_work(s3_lake: Lake):
    rows = said(*WORDINGS[:6])
    memory = StoredMemory(s3_lake.objects, "chain", RULE.algorithm)
    before = Run(rows, {}, memory)
    assert Run(rows, {}, memory).compared_ids == []
    grown = Run(rows | {"more": said(WORDS, image="i1")["c00"]}, {}, memory)
    assert grown.compared_ids == []
    s3_lake.objects.put(memory.key, s3_lake.objects.get(memory.key)[:-1])
    again = Run(rows, {}, memory)
    assert again.rows.equals(before.rows)
    assert again.compared_ids == before.compared_ids


def test_states_of_rules_that_are_no_longer_used_are_deleted(tmp_path: Path):
    objects = open_store(tmp_path)
    for rule in ("first", "second", "third"):
        Run(said(WORDS), {}, StoredMemory(objects, "chain", rule))
    Run(said(WORDS), {}, StoredMemory(objects, "sample", "first"))
    written = {found.key: found.modified for found in objects.list(FOLDER)}
    for age, rule in enumerate(("third", "second", "first")):
        then = written[StoredMemory(objects, "chain", rule).key] - timedelta(days=9 * age + 8)
        os.utime(tmp_path / StoredMemory(objects, "chain", rule).key, (then.timestamp(),) * 2)
    assert delete_abandoned(objects, min(written.values()) - timedelta(days=20)) == 1
    assert delete_abandoned(objects, min(written.values()) - timedelta(days=7)) == 1
    left = {found.key for found in objects.list(FOLDER)}
    assert left == {
        StoredMemory(objects, "chain", "third").key,
        StoredMemory(objects, "sample", "first").key,
    }


def test_rules_do_not_share_a_state(tmp_path: Path):
    assert memory_in(tmp_path).key != memory_in(tmp_path, "another").key
