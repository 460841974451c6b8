"""Which pictures match, and what follows when the question matches too."""

from typing import Any

import numpy as np
import pytest

from tasks.decontaminate.lookup import HashSet, near_pairs
from tests.tasks.decontaminate.made import (
    CITY,
    comparison,
    images,
    picture_hash,
    rules_found,
    samples,
)

ITEM: dict[str, Any] = {
    "question": CITY,
    "answers": ["9 km"],
    "pixels": ["shared"],
    "hashes": [picture_hash("town")],
}
OURS = images(
    shared=picture_hash("town"),
    near=picture_hash("town", 20),
    far=picture_hash("town", 30),
    blank=bytes(32),
)


def test_same_pixels_and_near_hashes_are_told_apart_and_far_ones_left():
    compared = comparison(ITEM, ITEM | {"pixels": ["white"], "hashes": [bytes(32)]}).images(OURS)
    assert rules_found(compared.rows) == {"shared": {"image_pixels"}, "near": {"image_phash"}}
    assert compared.counts == {"compared": 4, "flat": 1}


@pytest.mark.parametrize(
    ("image", "question", "answer", "expected"),
    [
        ("shared", CITY, "another", "drop"),
        ("near", CITY, "9 km", "drop"),
        ("near", CITY, "8 km", "review"),
        ("near", CITY, None, "drop"),
        ("near", "Which town is shown?", "9 km", None),
        ("far", CITY, "9 km", None),
        ("shared", " ".join(CITY.split()[:14]) + " and is it cheap?", "9 km", None),
        ("shared", " ".join(CITY.split()[:22]) + " and is it cheap?", "9 km", "drop"),
    ],
)
def test_picture_and_question_decide_together(
    image: str, question: str, answer: str | None, expected: str | None
):
    rows = samples({"question": question, "answer": answer, "image_ids": [image]})
    compared = comparison(ITEM).samples(rows, OURS)
    found = [r for r in compared.rows.to_pylist() if r["rule"] == "picture_and_question"]
    assert [row["decision"] for row in found] == ([] if expected is None else [expected])


def test_a_template_question_drops_where_the_picture_is_the_same():
    asked = "What is the name of the shop on the receipt shown here?"
    items = [
        {"question": asked, "pixels": [f"p{n}"], "hashes": [picture_hash(f"p{n}")]}
        for n in range(30)
    ]
    rows = samples({"question": asked, "image_ids": ["p3"]}, {"question": asked})
    compared = comparison(*items).samples(rows, images(p3=picture_hash("p3")))
    assert [
        (r["item_id"], r["decision"], r["benchmark_item"]) for r in compared.rows.to_pylist()
    ] == [("s0", "drop", "q3")]


def test_a_dataset_of_the_same_lake_is_no_match_of_itself():
    rows = samples(
        {"sample_id": "q0", "question": CITY, "image_ids": ["shared"]},
        {"sample_id": "train", "question": "Which town is it?", "image_ids": ["shared"]},
    )
    compared = comparison(ITEM, is_own=True).samples(rows, OURS)
    assert rules_found(compared.rows) == {"train": {"image_pixels"}}


def test_near_pairs_are_those_of_a_plain_count():
    rng = np.random.default_rng(1)
    theirs = rng.integers(0, 2**63, (40, 4)).astype(np.uint64)
    ours = np.repeat(theirs[:10], 3, axis=0)
    ours[:, 1] ^= rng.integers(0, 2**40, len(ours)).astype(np.uint64)
    bits = np.bitwise_count(ours[:, None] ^ theirs[None]).sum(axis=2)
    pairs = near_pairs(ours, theirs, 20)
    expected = {(i, j, int(bits[i, j])) for i, j in np.argwhere(bits <= 20)}
    listed = zip(pairs.ours.tolist(), pairs.theirs.tolist(), pairs.bits.tolist(), strict=True)
    assert set(listed) == expected


def test_hash_set_finds_its_keys_and_no_others():
    rng = np.random.default_rng(2)
    keys = np.unique(rng.integers(0, 2**63, 5000).astype(np.uint64))
    held = HashSet.of(keys)
    assert held.find(keys).tolist() == list(range(len(keys)))
    assert set(held.find(keys + np.uint64(2**63)).tolist()) == {-1}
    assert HashSet.of(keys[:0]).find(keys).max() == -1


@pytest.mark.parametrize(
    ("theirs", "ours", "rules"),
    [
        ("cot/vsr/000000534124.jpg", "000000534124", ["image_name"]),
        ("X51007231275.jpg", "x51007231275", ["image_name"]),
        ("a\\000000534124.JPG", "000000534124", ["image_name"]),
        ("3.png", "3", []),
        ("page-12.png", "page-12", []),
        ("000000534125.jpg", "000000534124", []),
    ],
)
def test_a_picture_that_is_not_there_is_known_by_its_number(
    theirs: str, ours: str, rules: list[str]
):
    compared = comparison({"question": CITY, "unread": [theirs]})
    rows = compared.images(images(**{ours: picture_hash(ours)})).rows.to_pylist()
    assert [r["rule"] for r in rows] == rules
    assert all(repr(theirs) in r["evidence"] for r in rows)
