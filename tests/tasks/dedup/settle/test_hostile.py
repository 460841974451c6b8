"""Inputs that make a careless implementation quadratic, wrong or endless."""

import time

import numpy as np
import numpy.typing as npt
import pytest

from tasks.dedup.settle.buckets import buckets
from tasks.dedup.settle.resolve import settle
from tasks.dedup.settle.similarity import Jaccard

RANDOM = np.random.default_rng(11)


def fixed_width(shingles: npt.NDArray[np.uint64], tau: float = 0.8) -> Jaccard:
    """Return the similarity over rows of equally many shingles, without signatures."""
    n_rows, width = shingles.shape
    offsets = np.arange(n_rows + 1, dtype=np.int64) * width
    signature = np.empty((n_rows, 0), np.uint8)
    return Jaccard(offsets, np.sort(shingles, axis=1).ravel(), signature, tau)


def all_banded(n_rows: int) -> npt.NDArray[np.bool_]:
    return np.ones(n_rows, np.bool_)


def test_settle_a_giant_bucket_of_equal_texts_keeps_one():
    n_rows = 200_000
    shingles = np.tile(RANDOM.integers(0, 2**64, 30, np.uint64), (n_rows, 1))
    bands = np.tile(RANDOM.integers(0, 2**64, 14, np.uint64), (n_rows, 1))
    order = RANDOM.permutation(n_rows)
    started = time.process_time()
    found = settle(bands, all_banded(n_rows), order, fixed_width(shingles))
    assert time.process_time() - started < 20
    assert np.flatnonzero(found.is_kept).tolist() == [order[0]]
    assert (found.similarity == 1.0).all()


def test_settle_a_giant_bucket_of_strangers_keeps_all():
    n_rows = 200_000
    shingles = RANDOM.integers(0, 2**64, (n_rows, 8), np.uint64)
    bands = RANDOM.integers(0, 2**64, (n_rows, 3), np.uint64)
    bands[:, 1] = 7
    started = time.process_time()
    found = settle(bands, all_banded(n_rows), np.arange(n_rows), fixed_width(shingles))
    assert time.process_time() - started < 20
    assert found.is_kept.all()


def test_settle_one_component_that_holds_everything_is_a_long_chain():
    """Row n shares a band with n - 1 and another with n + 1: one component, small buckets."""
    n_rows = 100_000
    places = np.arange(n_rows, dtype=np.uint64)
    bands = np.stack([places // 2, (places + 1) // 2], axis=1).astype(np.uint64)
    shingles = places[:, None] * np.uint64(4) + np.arange(16, dtype=np.uint64)
    found = settle(bands, all_banded(n_rows), np.arange(n_rows), fixed_width(shingles, 0.6))
    assert found.is_kept.tolist() == [n % 2 == 0 for n in range(n_rows)]
    assert set(found.similarity[1::2].tolist()) == {12 / 20}


def test_settle_texts_of_a_million_shingles():
    long = RANDOM.integers(0, 2**64, (1, 1_000_000), np.uint64)
    rows = np.concatenate([long, long, long ^ (RANDOM.random((1, 1_000_000)) < 0.3)])
    bands = np.zeros((3, 14), np.uint64)
    found = settle(bands, all_banded(3), np.arange(3), fixed_width(rows))
    assert found.kept_by.tolist() == [-1, 0, -1]


@pytest.mark.parametrize("extreme", [0, 2**63 - 1, 2**63, 2**64 - 1])
def test_settle_extreme_keys_and_shingles_are_ordinary(extreme: int):
    """Shingles are ordered as unsigned; a key of zero or of ones is a key like any other."""
    shingles = np.array([[1, 5, extreme], [1, 5, extreme], [2, 6, 9]], np.uint64)
    bands = np.array([[extreme], [extreme], [extreme]], np.uint64)
    found = settle(bands, all_banded(3), np.arange(3), fixed_width(shingles))
    assert found.kept_by.tolist() == [-1, 0, -1]


def test_settle_sets_without_shingles_are_like_nothing():
    nothing = Jaccard(
        np.zeros(3, np.int64), np.empty(0, np.uint64), np.zeros((2, 8), np.uint8), 0.8
    )
    found = settle(np.zeros((2, 1), np.uint64), all_banded(2), np.arange(2), nothing)
    assert found.is_kept.all()


def test_buckets_keys_that_differ_in_their_high_bits_only_are_told_apart_in_time():
    """Without mixing, such keys fall into one slot of a table."""
    n_rows = 200_000
    keys = np.arange(n_rows, dtype=np.uint64) << np.uint64(44)
    twice = np.concatenate([keys, keys])[:, None]
    started = time.process_time()
    found = buckets(twice, all_banded(2 * n_rows))
    assert time.process_time() - started < 20
    assert len(found.sizes) == n_rows
    assert (found.sizes == 2).all()
