import random
import time
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sightline.schemas import DUPLICATES, IMAGES, SAMPLES
from tasks.dedup.exact import PICTURE_COLUMNS, SAMPLE_COLUMNS, Pictures, sample_duplicates

Rows = list[dict[str, Any]]


def table(contract: Any, columns: tuple[str, ...], rows: Rows) -> pa.Table:
    schema = pa.schema([contract.payload.field(name) for name in columns])
    return pa.Table.from_pylist([dict.fromkeys(columns) | row for row in rows], schema)


def pictures(*facts: tuple[str, str, int], **stands: str) -> Pictures:
    """Images as (id, pixels, hash), and the image that stands for some of them."""
    rows = [{"image_id": i, "pixel_sha": sha, "phash": f"{bits:064x}"} for i, sha, bits in facts]
    return Pictures.of(table(IMAGES, PICTURE_COLUMNS, rows), stands, max_bits=24)


def samples(*rows: dict[str, Any]) -> pa.Table:
    full = [
        {"sample_id": f"s{n}", "question": "Which?", "answer": "this", "image_ids": ["i1"]} | row
        for n, row in enumerate(rows)
    ]
    return table(SAMPLES, SAMPLE_COLUMNS, full)


FAR = (1 << 100) - 1
PICTURES = pictures(("i1", "p1", 0), ("i2", "p1", 0), ("i3", "p3", FAR), i2="i1")


def found_among(rows: pa.Table, seen: Pictures = PICTURES) -> pa.Table:
    return sample_duplicates(rows, seen, leaders=64)


def clusters(found: pa.Table, method: str) -> set[tuple[str, tuple[str, ...]]]:
    """(kept, members) of each cluster."""
    grouped: dict[str, list[dict[str, Any]]] = {}
    for row in found.to_pylist():
        if row["method"] == method:
            grouped.setdefault(row["cluster_id"], []).append(row)
    for rows in grouped.values():
        assert len({row["kept_id"] for row in rows}) == 1
        assert sum(row["item_id"] == row["kept_id"] for row in rows) == 1
    return {
        (rows[0]["kept_id"], tuple(sorted(r["item_id"] for r in rows))) for rows in grouped.values()
    }


def sample_clusters(*rows: dict[str, Any]) -> set[tuple[str, tuple[str, ...]]]:
    return clusters(found_among(samples(*rows)), "sample_exact")


@pytest.mark.parametrize(
    "other",
    [
        {},
        {"question": " WHICH ?"},
        {"answer": "This."},
        {"image_ids": ["i2"]},
        {"boxes": [[1.0, 2.0, 3.0, 4.0]]},
    ],
)
def test_exact_duplicates_same_question_on_the_same_pixels_is_one(other: dict[str, Any]):
    assert sample_clusters({}, other) == {("s0", ("s0", "s1"))}


@pytest.mark.parametrize(
    "other",
    [
        {"question": "What?"},
        {"answer": "that"},
        {"answer": None},
        {"image_ids": ["i3"]},
        {"image_ids": ["i1", "i1"]},
        {"image_ids": ["unknown"]},
        {"choices": ["this", "that"]},
        {"question": None},
    ],
)
def test_exact_duplicates_any_other_statement_is_another_sample(other: dict[str, Any]):
    assert sample_clusters({}, other) == set()


@pytest.mark.parametrize(
    "row",
    [
        {"question": None},
        {"question": None, "answer": None},
        {"image_ids": []},
        {"image_ids": None},
    ],
)
def test_exact_duplicates_without_question_or_image_nothing_collapses(row: dict[str, Any]):
    assert sample_clusters(row, row, row) == set()


def test_exact_duplicates_without_an_answer_boxes_must_agree():
    one, two = {"answer": None, "boxes": [[0, 0, 1, 1]]}, {"answer": None, "boxes": [[0, 0, 2, 2]]}
    assert sample_clusters(one, two) == set()
    assert sample_clusters(one, one) == {("s0", ("s0", "s1"))}


def test_exact_duplicates_choices_in_another_order_are_another_sample():
    rows = [{"choices": c} for c in (["a", "b"], ["b", "a"], ["A.", "b"], ["a"], [])]
    assert sample_clusters(*rows) == {("s0", ("s0", "s2"))}


def test_exact_duplicates_several_images_compare_as_sequences():
    rows = [{"image_ids": ids} for ids in (["i1", "i3"], ["i3", "i1"], ["i2", "i3"])]
    assert sample_clusters(*rows) == {("s0", ("s0", "s2"))}


def test_exact_duplicates_same_id_twice_is_one_item():
    assert sample_clusters({"sample_id": "s"}, {"sample_id": "s"}) == set()


def test_exact_duplicates_empty_lake_gives_an_empty_table():
    found = found_among(samples(), pictures())
    assert found.schema == DUPLICATES.payload
    assert found.num_rows == 0


statements = st.fixed_dictionaries(
    {
        "question": st.sampled_from(["A?", "a", "b", None, ""]),
        "answer": st.sampled_from(["1", "1.", "2", None]),
        "choices": st.sampled_from([None, ["x"], ["x", "y"]]),
        "image_ids": st.sampled_from([["i1"], ["i2"], ["i3"], [], ["i1", "i3"]]),
        "boxes": st.sampled_from([None, [[0.0, 0.0, 1.0, 1.0]]]),
    }
)


@given(st.lists(statements, max_size=25), st.randoms(use_true_random=False), st.integers(1, 5))
def test_exact_duplicates_order_and_partition_change_nothing(
    rows: Rows, chance: random.Random, n_parts: int
):
    named = [row | {"sample_id": f"s{n:02d}"} for n, row in enumerate(rows)]
    shuffled = chance.sample(named, len(named))
    parts = pa.concat_tables([samples(*shuffled[n::n_parts]) for n in range(n_parts)])
    assert found_among(parts).equals(found_among(samples(*named)))


@given(st.lists(statements, max_size=25))
def test_exact_duplicates_what_is_left_holds_no_duplicate(rows: Rows):
    named = [row | {"sample_id": f"s{n:02d}"} for n, row in enumerate(rows)]
    found = found_among(samples(*named)).to_pylist()
    dropped = {r["item_id"] for r in found if r["item_id"] != r["kept_id"]}
    left = [row for row in named if row["sample_id"] not in dropped]
    assert {r["kept_id"] for r in found if r["item_kind"] == "sample"} <= {
        row["sample_id"] for row in left
    }
    assert sample_clusters(*left) == set()


@pytest.mark.parametrize("text", ["", "x" * 10_000_000, "\x00", "'; drop table samples;", "🙂" * 9])
def test_exact_duplicates_hostile_text_is_only_text(text: str):
    found = sample_clusters(
        {"question": text, "answer": text}, {"question": text, "answer": text}, {}
    )
    assert found == {("s0", ("s0", "s1"))}


def test_exact_duplicates_fifty_thousand_rows_take_seconds():
    ids = [f"i{n}" for n in range(30_000)]
    facts = [(i, f"p{int(i[1:]) // 2}", 0) for i in ids]
    seen = pictures(*facts, **{i: f"i{int(i[1:]) // 2 * 2}" for i in ids})
    rows = [
        {
            "question": f"How many, {n % 5000}?",
            "answer": str(n % 3),
            "image_ids": [ids[n * 7919 % len(ids)]],
        }
        for n in range(50_000)
    ]
    started = time.process_time()
    found = found_among(samples(*rows), seen)
    assert clusters(found, "sample_exact")
    assert time.process_time() - started < 20


ONES = (1 << 20) - 1
NEAR = pictures(("i1", "p1", 0), ("i2", "p2", ONES), ("i3", "p3", ONES << 40), i2="i1", i3="i1")
"""i2 and i3 are 20 bits from i1 and 40 from each other."""


def test_same_question_on_a_near_picture_is_dropped_and_says_how_near():
    found = found_among(samples({}, {"image_ids": ["i2"]}), NEAR).to_pylist()
    kept, dropped = sorted(found, key=lambda row: row["item_id"])
    assert (dropped["method"], dropped["decision"]) == ("sample_same_picture", "drop")
    assert (kept["kept_id"], dropped["kept_id"]) == ("s0", "s0")
    assert dropped["similarity"] == 1 - 20 / 256
    assert "20 of 256 bits" in dropped["evidence"]


def test_pictures_of_one_cluster_that_are_far_from_each_other_drop_nothing():
    rows = samples({"image_ids": ["i2"]}, {"image_ids": ["i3"]})
    assert found_among(rows, NEAR).num_rows == 0


def test_released_sample_is_kept_before_one_of_a_lower_id():
    found = sample_duplicates(samples({}, {}), PICTURES, 64, frozenset({"s1"}))
    assert set(found["kept_id"].to_pylist()) == {"s1"}
