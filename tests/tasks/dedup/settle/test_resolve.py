from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom

from tasks.dedup.settle.resolve import Settled, settle
from tasks.dedup.settle.salted import salted
from tasks.dedup.settle.similarity import SKIP_RISK, Hamming, Jaccard
from tests.tasks.dedup.settle import oracle
from tests.tasks.dedup.settle.oracle import UNLIMITED

shingle_sets = st.lists(st.frozensets(st.integers(0, 9), max_size=8), max_size=40)
"""Few shingles, so that equal, similar and empty sets all occur."""

compiling = settings(deadline=None)
"""The first example may compile the kernels."""

taus = st.sampled_from([0.2, 0.5, 2 / 3, 0.75, 0.8, 1.0])
limits = st.sampled_from([1, 2, 3, UNLIMITED])


def rows(settled: Settled) -> list[tuple[int, float, int]]:
    columns = (settled.kept_by, settled.similarity, settled.band)
    return list(zip(*(column.tolist() for column in columns), strict=True))


def shuffled(n: int, seed: int) -> npt.NDArray[np.int64]:
    return np.random.default_rng(seed).permutation(n).astype(np.int64)


@compiling
@given(shingle_sets, taus, limits, st.integers(0, 5), st.integers(1, 16))
def test_settle_equals_every_pair_in_order(
    sets: Any, tau: float, leaders: int, seed: int, n_bands: int
):
    items = oracle.items(sets, n_bands)
    order = shuffled(len(sets), seed)
    found = settle(items.bands, items.has_bands, order, items.similarity(tau), leaders=leaders)
    compare = oracle.jaccard(items.sets, tau)
    assert rows(found) == oracle.settled(
        items.bands, items.has_bands, order.tolist(), compare, leaders
    )


@compiling
@given(shingle_sets, limits, st.integers(0, 5))
def test_settle_every_dropped_item_has_a_kept_item_as_similar_as_asked(
    sets: Any, leaders: int, seed: int
):
    items = oracle.items(sets)
    order = shuffled(len(sets), seed)
    found = settle(items.bands, items.has_bands, order, items.similarity(0.5), leaders=leaders)
    compare = oracle.jaccard(items.sets, 0.5)
    for item in np.flatnonzero(~found.is_kept):
        assert found.is_kept[found.kept_by[item]]
        assert compare(item, found.kept_by[item]) == found.similarity[item]


@compiling
@given(shingle_sets, limits, st.integers(0, 5), st.integers(0, 5))
def test_settle_rows_in_another_order_are_the_same_decisions(
    sets: Any, leaders: int, seed: int, mixing: int
):
    items = oracle.items(sets)
    order = shuffled(len(sets), seed)
    plain = settle(items.bands, items.has_bands, order, items.similarity(0.5), leaders=leaders)
    moved_from = shuffled(len(sets), mixing)
    moved = items.take(moved_from.tolist())
    new_place = np.argsort(moved_from)
    again = settle(
        moved.bands, moved.has_bands, new_place[order], moved.similarity(0.5), leaders=leaders
    )
    back = np.append(moved_from, -1)
    expected = [rows(plain)[item] for item in moved_from]
    assert [(back[k], s, b) for k, s, b in rows(again)] == expected


def test_settle_hashes_equal_every_pair_in_order():
    random = np.random.default_rng(0)
    centres = random.integers(0, 2**64, (8, 4), np.uint64)
    words = centres[random.integers(0, 8, 120)]
    for row in words:
        for bit in random.integers(0, 256, random.integers(0, 20)):
            row[bit // 64] ^= np.uint64(1) << np.uint64(bit % 64)
    bands = random.integers(0, 3, (120, 2), np.uint64)
    has_bands = np.ones(120, np.bool_)
    order = shuffled(120, 1)
    for leaders in (1, 4, UNLIMITED):
        found = settle(bands, has_bands, order, Hamming(words, 24), leaders=leaders)
        compare = oracle.hamming(words, 24)
        assert rows(found) == oracle.settled(bands, has_bands, order.tolist(), compare, leaders)
    assert 0 < found.is_kept.sum() < 120


def test_settle_nothing_gives_nothing():
    empty = Jaccard(np.zeros(1, np.int64), np.empty(0, np.uint64), np.empty((0, 8), np.uint8), 0.8)
    found = settle(np.empty((0, 3), np.uint64), np.empty(0, np.bool_), np.empty(0, np.int64), empty)
    assert rows(found) == []


@pytest.mark.parametrize("tau", [0.0, -1.0, 1.5, float("nan")])
def test_jaccard_threshold_that_says_nothing_is_refused(tau: float):
    with pytest.raises(ValueError, match="threshold"):
        Jaccard(np.zeros(1, np.int64), np.empty(0, np.uint64), np.empty((0, 8), np.uint8), tau)


def test_salted_keys_agree_exactly_where_key_and_salt_do():
    bands = np.array([[1, 2], [1, 2], [1, 3], [1, 2]], np.uint64)
    keys = salted(bands, np.array([7, 7, 7, 8], np.uint64)).tolist()
    assert keys[0] == keys[1]
    assert keys[0][0] == keys[2][0]
    assert keys[0][1] != keys[2][1]
    assert not set(keys[0]) & set(keys[3])


@pytest.mark.parametrize("order", [[0, 1], [0, 1, 1], [0, 1, 3], [-1, 0, 1], [0, 1, 2, 3]])
def test_settle_order_that_is_no_permutation_is_refused(order: list[int]):
    """Kernels do not check bounds, so nothing else may reach them."""
    items = oracle.items([frozenset([1])] * 3)
    with pytest.raises(ValueError, match=r"order|negative"):
        settle(items.bands, items.has_bands, np.array(order), items.similarity(0.5))


def test_settle_evidence_about_other_items_is_refused():
    items = oracle.items([frozenset([1])] * 3)
    with pytest.raises(ValueError, match="2 to compare"):
        settle(items.bands, items.has_bands, np.arange(3), items.take([0, 1]).similarity(0.5))


@pytest.mark.parametrize(("permutations", "tau"), [(8, 0.8), (112, 0.8), (128, 0.5), (4096, 0.9)])
def test_jaccard_signatures_hide_a_pair_at_the_threshold_at_the_stated_risk(
    permutations: int, tau: float
):
    """The chance of fewer matches than asked for, exactly: a binomial tail."""
    signature = np.zeros((0, permutations), np.uint8)
    needed = Jaccard(np.zeros(1, np.int64), np.empty(0, np.uint64), signature, tau)
    asked = needed.evidence().min_matches
    assert binom.cdf(asked - 1, permutations, tau) <= SKIP_RISK
    assert binom.cdf(asked, permutations, tau) > SKIP_RISK
