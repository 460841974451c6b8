"""Parities skip comparisons, never a similar pair."""

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.dedup.settle.kernels import PARITY_WORDS
from tasks.dedup.settle.resolve import settle
from tasks.dedup.settle.sets import parities
from tasks.dedup.settle.similarity import Jaccard


def decided(sets: list[npt.NDArray[np.uint64]], tau: float) -> npt.NDArray[np.int64]:
    """Return `kept_by` where all sets share one bucket and nothing but their values is known."""
    offsets = np.concatenate([[0], np.cumsum([len(s) for s in sets])]).astype(np.int64)
    similarity = Jaccard(offsets, np.concatenate(sets), np.empty((len(sets), 0), np.uint8), tau)
    bands = np.ones((len(sets), 1), np.uint64)
    full = np.diff(offsets) > 0
    return settle(bands, full, np.arange(len(sets)), similarity, leaders=len(sets)).kept_by


def plain(sets: list[npt.NDArray[np.uint64]], tau: float) -> list[int]:
    found: list[int] = []
    values = [set(own.tolist()) for own in sets]
    for row, own in enumerate(values):
        kept = (other for other in range(row) if found[other] < 0 and own)
        likes = (o for o in kept if len(own & values[o]) / len(own | values[o]) >= tau)
        found.append(next(likes, -1))
    return found


@settings(deadline=None)  # the first example compiles
@given(st.integers(0, 2**32 - 1), st.sampled_from([0.3, 0.5, 0.8, 0.95, 1.0]), st.integers(1, 400))
def test_parity_decisions_equal_those_of_plain_sets(seed: int, tau: float, size: int):
    rng = np.random.default_rng(seed)
    pool = rng.integers(0, 1 << 64, size + 40, dtype=np.uint64)
    sets = []
    for _ in range(8):
        left_out = rng.random(len(pool)) < rng.choice([0.0, 0.05, 0.1, 0.3])
        sets.append(np.unique(pool[~left_out]))
    assert decided(sets, tau).tolist() == plain(sets, tau)


@pytest.mark.parametrize("step", [512, 1 << 32])
def test_parity_of_values_that_fall_on_one_bit_loses_no_pair(step: int):
    values = (np.arange(200, dtype=np.uint64) * np.uint64(step)).astype(np.uint64)
    assert decided([values, values[:190], values[:100]], 0.9).tolist() == [-1, 0, -1]


def test_parity_is_the_sum_of_bits_of_a_set():
    offsets = np.array([0, 0, 3], np.int64)
    found = parities(offsets, np.array([1, 65, 513], np.uint64))
    assert found.shape == (2, PARITY_WORDS)
    assert found[0].sum() == 0
    assert found[1].tolist() == [0, 2, 0, 0, 0, 0, 0, 0]
