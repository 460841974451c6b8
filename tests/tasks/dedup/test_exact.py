import random
import time
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.images.decode import decode
from infra.images.pixels import pixel_sha
from sightline.ids import image_id
from sightline.schemas import DUPLICATES, IMAGES, SAMPLES
from tasks.dedup.exact import IMAGE_COLUMNS, SAMPLE_COLUMNS, exact_duplicates

Rows = list[dict[str, Any]]


def table(contract: Any, columns: tuple[str, ...], rows: Rows) -> pa.Table:
    schema = pa.schema([contract.payload.field(name) for name in columns])
    return pa.Table.from_pylist([dict.fromkeys(columns) | row for row in rows], schema)


def images(*pairs: tuple[str, str], **more: Any) -> pa.Table:
    rows = [{"image_id": i, "pixel_sha": sha} | more for i, sha in pairs]
    return table(IMAGES, IMAGE_COLUMNS, rows)


def samples(*rows: dict[str, Any]) -> pa.Table:
    full = [
        {"sample_id": f"s{n}", "question": "Which?", "answer": "this", "image_ids": ["i1"]} | row
        for n, row in enumerate(rows)
    ]
    return table(SAMPLES, SAMPLE_COLUMNS, full)


NO_SAMPLES = samples()
PICTURES = images(("i1", "p1"), ("i2", "p1"), ("i3", "p3"))


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
    return clusters(exact_duplicates(PICTURES, samples(*rows)), "sample_exact")


def test_exact_duplicates_same_pixels_in_other_bytes_keep_the_lowest_id():
    found = exact_duplicates(images(("b", "p1"), ("a", "p1"), ("c", "p2")), NO_SAMPLES)
    assert clusters(found, "image_pixels") == {("a", ("a", "b"))}
    assert set(found["item_kind"].to_pylist()) == {"image"}
    assert set(found["similarity"].to_pylist()) == {1.0}


def test_exact_duplicates_crops_take_no_part():
    crops = images(("c1", "p1"), ("c2", "p1"), parent_image_id="i9")
    found = exact_duplicates(pa.concat_tables([crops, images(("i1", "p1"))]), NO_SAMPLES)
    assert found.num_rows == 0


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
    assert exact_duplicates(images(("a", "p"), ("a", "p")), NO_SAMPLES).num_rows == 0


def test_exact_duplicates_empty_lake_gives_an_empty_table():
    found = exact_duplicates(images(), NO_SAMPLES)
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
    pictures = PICTURES.take(chance.sample(range(3), 3))
    assert exact_duplicates(pictures, parts).equals(exact_duplicates(PICTURES, samples(*named)))


@given(st.lists(statements, max_size=25))
def test_exact_duplicates_what_is_left_holds_no_duplicate(rows: Rows):
    named = [row | {"sample_id": f"s{n:02d}"} for n, row in enumerate(rows)]
    found = exact_duplicates(PICTURES, samples(*named)).to_pylist()
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
    pictures = images(*((i, f"p{int(i[1:]) // 2}") for i in ids))
    rows = [
        {
            "question": f"How many, {n % 5000}?",
            "answer": str(n % 3),
            "image_ids": [ids[n * 7919 % len(ids)]],
        }
        for n in range(50_000)
    ]
    started = time.perf_counter()
    found = exact_duplicates(pictures, samples(*rows))
    assert clusters(found, "image_pixels")
    assert time.perf_counter() - started < 20


@pytest.mark.parametrize("folder", ["natural_exact_dups", "neardup_images"])
def test_exact_duplicates_distinct_real_images_share_no_pixels(real_data: Any, folder: str):
    """Every byte-identical file is one image; what is left differs in its pixels too."""
    found: dict[str, str] = {}
    for path in sorted((real_data / folder / "images").iterdir()):
        data = path.read_bytes()
        if "corrupt" not in path.name:
            found[image_id(data)] = pixel_sha(decode(data).rgb)
    assert len(found) == {"natural_exact_dups": 24, "neardup_images": 31}[folder]
    assert exact_duplicates(images(*found.items()), NO_SAMPLES).num_rows == 0
