"""Near duplicates of texts: what meets, what is dropped for what, and that nothing else decides."""

import random
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sightline.schemas import DUPLICATES, SAMPLES, STEPS, TEXT_KEYS
from tasks.dedup.key_rows import key_rows
from tasks.dedup.meeting import MeetingTexts
from tasks.dedup.near import NearRule, near_duplicates, settled_texts
from tasks.dedup.params import ChainDedupParams, DedupParams, QuestionTier
from tasks.dedup.rules import chain_rule, question_rule, text_keys_of
from tasks.dedup.settle.columns import jaccard_of, text_evidence
from tasks.dedup.settle.memory import Memory, NoMemory
from tasks.dedup.settle.similarity import Jaccard
from tasks.dedup.texts import (
    QUESTION_COLUMNS,
    SAMPLE_TEXT_COLUMNS,
    STEP_COLUMNS,
    TEXTS,
    chain_texts,
    sample_texts,
)

Rows = list[dict[str, Any]]
RULE = chain_rule(ChainDedupParams())
LONG = "please look at the table near the window and then follow its edge to the small cup there"
NEAR = LONG.replace("please", "kindly")


def keyed(rows: Rows) -> pa.Table:
    filled = [{"group_key": "g", "image_ids": ["i1"]} | row for row in rows]
    return key_rows(pa.Table.from_pylist(filled, TEXTS), "chain", RULE.keys)


class Keyed:
    """Keys of rows in memory, read as those of a lake are."""

    def __init__(self, *tables: pa.Table) -> None:
        self.tables = tables

    def compared(self, ids: pa.Array, tau: float) -> Jaccard:
        rows = pa.concat_tables(self.tables)
        places = pc.index_in(ids, value_set=rows["item_id"].cast(ids.type).combine_chunks())
        return jaccard_of(rows.take(places), tau)


def found_among(
    *tables: pa.Table,
    stands: dict[str, str] | None = None,
    rule: NearRule = RULE,
    needed: frozenset[str] = frozenset(),
    memory: Memory | None = None,
) -> pa.Table:
    texts = MeetingTexts.of(tables, stands or {})
    priority = np.zeros(len(texts), np.int64)
    settled = settled_texts(texts, priority, Keyed(*tables).compared, rule, memory or NoMemory())
    return near_duplicates(settled, texts, rule, needed)


def pairs(rows: Rows, stands: dict[str, str] | None = None) -> set[tuple[str, str, str]]:
    found = found_among(keyed(rows), stands=stands).to_pylist()
    assert all(row["similarity"] >= RULE.similarity for row in found)
    return {
        (row["item_id"], row["kept_id"], row["method"])
        for row in found
        if row["item_id"] != row["kept_id"]
    }


def said(*texts: str, **more: Any) -> Rows:
    return [{"item_id": f"c{n}", "text": text} | more for n, text in enumerate(texts)]


def test_first_of_near_texts_is_kept_and_names_how_it_was_found():
    assert pairs(said(LONG, NEAR, LONG.upper())) == {
        ("c1", "c0", "chain_near"),
        ("c2", "c0", "chain_same"),
    }
    dropped = found_among(keyed(said(LONG, NEAR))).to_pylist()[1]
    assert (dropped["decision"], dropped["item_kind"]) == ("drop", "chain")
    assert 0 <= dropped["band"] < 16
    assert "words5-minhash16x7" in dropped["algorithm"]


@pytest.mark.parametrize(
    "other",
    [
        {"image_ids": ["i2"]},
        {"group_key": "h"},
        {"text": LONG + " 7"},
        {"text": None},
        {"text": ""},
    ],
)
def test_other_picture_question_number_or_no_text_is_no_duplicate(other: dict[str, Any]):
    one, two = said(LONG, LONG)
    assert pairs([one, two | other]) == set()


def test_images_of_one_picture_are_one_picture():
    one, two = said(LONG, LONG)
    rows = [one, two | {"image_ids": ["i2"]}]
    assert pairs(rows, {"i2": "i1"}) == {("c1", "c0", "chain_same")}


def test_row_that_others_were_dropped_for_is_reported_not_dropped():
    rule = question_rule(DedupParams(questions=QuestionTier.DROP, shingle_words=5))
    assert rule is not None
    rows = keyed(said(LONG, NEAR))
    found = found_among(rows, rule=rule, needed=frozenset({"c1"})).to_pylist()
    assert {row["item_id"]: row["decision"] for row in found} == {"c0": "drop", "c1": "report"}


texts = st.sampled_from([LONG, NEAR, LONG + " today", LONG + " 4", "short", "", "the cup is red"])


@settings(deadline=None, max_examples=30)
@given(st.lists(texts, max_size=12), st.randoms(use_true_random=False))
def test_partition_of_the_keys_changes_nothing(listed: list[str], chance: random.Random):
    rows = said(*listed)
    whole = found_among(keyed(rows))
    cut = chance.randint(0, len(rows))
    assert found_among(keyed(rows[:cut]), keyed(rows[cut:])).equals(whole)
    dropped = {r["item_id"] for r in whole.to_pylist() if r["item_id"] != r["kept_id"]}
    assert not dropped & set(whole["kept_id"].to_pylist())


def test_keys_survive_the_table():
    rows = keyed(said(LONG, "", "one two", NEAR))
    assert rows.schema == TEXT_KEYS.payload
    evidence = text_evidence(rows, RULE.similarity)
    assert evidence.has_bands.tolist() == [True, False, True, True]
    assert evidence.similarity.offsets.tolist()[:4] == [0, 14, 14, 15]
    assert evidence.bands.shape == (4, 16)
    assert (evidence.similarity.signature[1] == 0).all()


def test_no_texts_give_no_rows():
    assert found_among(keyed([])).schema == DUPLICATES.payload
    assert found_among().num_rows == 0


def table(contract: Any, columns: tuple[str, ...], rows: Rows) -> pa.Table:
    schema = pa.schema([contract.payload.field(name) for name in columns])
    return pa.Table.from_pylist([dict.fromkeys(columns) | row for row in rows], schema)


def test_chain_says_its_rounds_in_order_then_its_answer():
    rows = (
        ("c", "s", 2, 1, "answer", "X"),
        ("c", "s", 2, 0, "reasoning", "b"),
        ("c", "s", 1, 0, "reasoning", "a"),
        ("c", "s", 1, 1, "roi", "no"),
        ("gone", "s9", 1, 0, "answer", "y"),
    )
    steps = [dict(zip(STEP_COLUMNS, row, strict=True)) for row in rows]
    samples = [{"sample_id": "s", "image_ids": ["i"], "question": "Q?"}]
    found = chain_texts(
        table(STEPS, STEP_COLUMNS, steps), table(SAMPLES, QUESTION_COLUMNS, samples)
    ).to_pylist()
    assert [(row["item_id"], row["text"], row["image_ids"]) for row in found] == [
        ("c", "a\nb\nX", ["i"])
    ]


def test_questions_meet_where_answer_and_choices_agree():
    rows = [
        {"sample_id": "a", "image_ids": ["i"], "question": "Q?", "answer": "Yes."},
        {"sample_id": "b", "image_ids": ["i"], "question": "Q?", "answer": "yes"},
        {"sample_id": "c", "image_ids": ["i"], "question": "Q?", "answer": "no"},
        {"sample_id": "d", "image_ids": ["i"], "question": "Q?", "answer": "yes", "choices": ["a"]},
        {"sample_id": "e", "image_ids": [], "question": "Q?", "answer": "yes"},
        {"sample_id": "f", "image_ids": ["i"], "question": None, "answer": "yes"},
    ]
    found = sample_texts(table(SAMPLES, SAMPLE_TEXT_COLUMNS, rows)).to_pylist()
    groups = {row["item_id"]: row["group_key"] for row in found}
    assert list(groups) == ["a", "b", "c", "d"]
    assert groups["a"] == groups["b"]
    assert len(set(groups.values())) == 3


def test_text_keys_follow_the_recipe():
    assert text_keys_of(DedupParams(bands=3, rows=2)).bands == 3
