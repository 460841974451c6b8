"""MinHash estimates Jaccard without bias, and bands collide as often as theory says."""

import numpy as np
import numpy.typing as npt
import pytest

from tasks.text_keys.minhash import band_keys, permutations

Hashes = npt.NDArray[np.uint64]


def pairs(n_pairs: int, size: int, similarity: float, seed: int) -> tuple[Hashes, Hashes, float]:
    """Return random sets in pairs, (n_pairs, size) each, and their common exact Jaccard."""
    rng = np.random.default_rng(seed)
    shared = round(2 * size * similarity / (1 + similarity))
    drawn = rng.integers(0, 1 << 64, (n_pairs, 2 * size - shared), dtype=np.uint64)
    return drawn[:, :size], drawn[:, -size:], shared / (2 * size - shared)


def keys_of(sets: Hashes, bands: int, rows: int, seed: int = 1) -> tuple[Hashes, Hashes]:
    drawn = permutations(bands * rows, seed)
    offsets = np.arange(len(sets) + 1) * sets.shape[1]
    flat = np.ascontiguousarray(np.sort(sets, axis=1)).ravel()
    keys, signature = band_keys(offsets, flat, drawn.factors, drawn.summands, bands)
    return keys, signature


@pytest.mark.parametrize("similarity", [0.0, 0.2, 0.5, 0.8, 0.95])
@pytest.mark.parametrize("size", [3, 20, 60, 500])
def test_share_of_equal_minima_estimates_jaccard_without_bias(size: int, similarity: float):
    n_pairs = 3000
    first, second, exact = pairs(n_pairs, size, similarity, seed=size)
    one, other = keys_of(first, 112, 1)[0], keys_of(second, 112, 1)[0]
    estimates = (one == other).mean(axis=1)
    spread = np.sqrt(exact * (1 - exact) / 112)
    assert abs(estimates.mean() - exact) <= 5 * spread / np.sqrt(n_pairs) + 1e-6
    if spread > 0:
        assert 0.9 <= estimates.std() / spread <= 1.15


@pytest.mark.parametrize("similarity", [0.0, 0.5, 0.8])
def test_share_of_equal_bytes_is_jaccard_and_one_in_256(similarity: float):
    n_pairs = 4000
    first, second, exact = pairs(n_pairs, 60, similarity, seed=5)
    one, other = keys_of(first, 14, 8)[1], keys_of(second, 14, 8)[1]
    share = exact + (1 - exact) / 256
    spread = np.sqrt(share * (1 - share) / (112 * n_pairs))
    assert abs((one == other).mean() - share) <= 6 * spread


@pytest.mark.parametrize("similarity", [0.3, 0.5, 0.6, 0.7, 0.8, 0.9])
def test_pairs_share_a_band_as_often_as_the_curve_says(similarity: float):
    n_pairs = 4000
    first, second, exact = pairs(n_pairs, 57, similarity, seed=9)
    one, other = keys_of(first, 14, 8)[0], keys_of(second, 14, 8)[0]
    expected = 1 - (1 - exact**8) ** 14
    spread = np.sqrt(expected * (1 - expected) / n_pairs)
    assert abs((one == other).any(axis=1).mean() - expected) <= 5 * spread + 0.01


def test_permutations_of_more_bands_begin_with_those_of_fewer():
    few, many = permutations(10, 3), permutations(20, 3)
    assert np.array_equal(few.factors, many.factors[:10])
    assert (many.factors % 2 == 1).all()


def test_permutations_of_another_seed_are_others():
    assert not np.intersect1d(permutations(112, 1).factors, permutations(112, 2).factors).size
