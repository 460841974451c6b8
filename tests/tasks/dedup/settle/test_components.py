from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.dedup.settle.buckets import NO_BUCKET, buckets
from tasks.dedup.settle.components import components, shards
from tasks.dedup.settle.parallel import settle_shards
from tasks.dedup.settle.resolve import settle
from tests.tasks.dedup.settle import oracle

compiling = settings(deadline=None)
keys = st.lists(st.tuples(*[st.integers(0, 12)] * 3), max_size=30)
flags = st.lists(st.booleans(), min_size=30, max_size=30)


def found_in(rows: list[tuple[int, ...]], is_banded: list[bool]) -> Any:
    bands = np.array(rows, np.uint64).reshape(len(rows), 3)
    return buckets(bands, np.array(is_banded[: len(rows)], np.bool_))


@compiling
@given(keys, flags)
def test_buckets_hold_exactly_those_who_share_a_key(rows: Any, is_banded: list[bool]):
    found = found_in(rows, is_banded)
    for band in range(3):
        members: dict[int, list[int]] = {}
        for item, row in enumerate(rows):
            if is_banded[item]:
                members.setdefault(row[band], []).append(item)
        for item, row in enumerate(rows):
            number = found.numbers[item, band]
            expected = members.get(row[band], []) if is_banded[item] else []
            assert (number == NO_BUCKET) == (len(expected) < 2)
            if number != NO_BUCKET:
                assert np.flatnonzero((found.numbers == number).any(axis=1)).tolist() == expected
                assert found.sizes[number] == len(expected)


@compiling
@given(keys, flags)
def test_components_are_named_by_their_first_item(rows: Any, is_banded: list[bool]):
    labels = list(range(len(rows)))
    for _ in rows:
        for one, a in enumerate(rows):
            for other, b in enumerate(rows):
                shares = any(x == y for x, y in zip(a, b, strict=True))
                if shares and is_banded[one] and is_banded[other]:
                    labels[one] = min(labels[one], labels[other])
    assert components(found_in(rows, is_banded)).tolist() == labels


@compiling
@given(keys, flags, st.integers(1, 6))
def test_shards_hold_whole_components_and_every_item_that_collides(
    rows: Any, is_banded: list[bool], count: int
):
    found = found_in(rows, is_banded)
    labels = components(found)
    parts = shards(found, count)
    assert sorted(np.concatenate([[], *parts]).tolist()) == np.flatnonzero(found.shares()).tolist()
    assert len(parts) <= count
    owners = [{int(labels[item]) for item in part} for part in parts]
    assert sum(map(len, owners)) == len(set().union(*owners))


def test_shards_are_of_about_equal_size():
    rows = np.repeat(np.arange(2000, dtype=np.uint64), 3)[:, None]
    sizes = [len(part) for part in shards(buckets(rows, np.ones(6000, np.bool_)), 7)]
    assert max(sizes) - min(sizes) <= 3


@compiling
@given(st.lists(st.frozensets(st.integers(0, 30), max_size=6), max_size=40), st.integers(1, 5))
def test_settle_shards_any_number_gives_the_same_bytes(sets: Any, count: int):
    items = oracle.items(sets)
    order = np.random.default_rng(len(sets)).permutation(len(sets))
    once = settle(items.bands, items.has_bands, order, items.similarity(0.5))
    split = settle_shards((items.bands, items.has_bands), order, items.similarity(0.5), count=count)
    for name in ("kept_by", "similarity", "band"):
        assert getattr(once, name).tobytes() == getattr(split, name).tobytes()
