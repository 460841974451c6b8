import time

import numpy as np
import numpy.typing as npt
import pytest

from tasks.dedup.settle.hamming import (
    CHUNKS,
    HAMMING_LEADERS,
    MAX_BITS,
    hamming_bands,
    hamming_join,
)
from tasks.dedup.settle.resolve import settle
from tasks.dedup.settle.similarity import Hamming

Hashes = npt.NDArray[np.uint64]


def hashes(n: int, seed: int = 0) -> Hashes:
    return np.random.default_rng(seed).integers(0, 2**64, (n, 4), np.uint64)


def flipped(words: Hashes, bits: npt.ArrayLike, seed: int = 0) -> Hashes:
    """Return `words` with that many different bits of each row flipped."""
    random = np.random.default_rng(seed)
    changed = words.copy()
    for row, count in zip(changed, np.broadcast_to(bits, len(words)), strict=True):
        for bit in random.choice(256, int(count), replace=False):
            row[bit // 64] ^= np.uint64(1) << np.uint64(bit % 64)
    return changed


def test_hamming_bands_every_bit_belongs_to_one_chunk():
    nothing = hamming_bands(np.zeros((1, 4), np.uint64), MAX_BITS)
    single = np.zeros((256, 4), np.uint64)
    single[np.arange(256), np.arange(256) // 64] = 1 << (np.arange(256, dtype=np.uint64) % 64)
    differs = hamming_bands(single, MAX_BITS) != nothing
    assert (differs.sum(axis=1) == 1).all()
    assert (differs.sum(axis=0) == 256 // CHUNKS).all()
    assert len({tuple(keys) for keys in hamming_bands(single, MAX_BITS).tolist()}) == 256


def test_hamming_join_finds_every_pair_that_is_near():
    words = hashes(300)
    words = np.concatenate([words, flipped(words, np.arange(300) % 40), words[:5], words[:5]])
    found = hamming_join(words, 15)
    pairs = set(zip(found.one.tolist(), found.other.tolist(), strict=True))
    expected = {(row, 300 + row) for row in range(300) if row % 40 <= 15}
    expected = {(min(a, b), max(a, b)) for a, b in expected if b != 300}
    expected |= {(row, 600 + row + extra) for row in range(5) for extra in (0, 5)} | {(0, 300)}
    assert pairs == expected
    assert len(pairs) == len(found.one)
    expected_bits = [(b - 300) % 40 if a < 300 <= b < 600 else 0 for a, b in sorted(expected)]
    assert found.bits.tolist() == expected_bits


@pytest.mark.parametrize(("bits", "recall"), [(16, 0.999), (20, 0.997), (24, 0.985)])
def test_hamming_join_recall_at_a_distance(bits: int, recall: float):
    words = hashes(4000)
    found = hamming_join(np.concatenate([words, flipped(words, bits)]), 24)
    assert (found.other == found.one + 4000).all()
    assert len(found.one) >= recall * 4000


def test_hamming_join_equal_hashes_pair_with_their_first_row_only():
    words = np.repeat(hashes(1), 200_000, axis=0)
    started = time.process_time()
    found = hamming_join(words, 24)
    assert time.process_time() - started < 20
    assert not found.one.any()
    assert found.other.tolist() == list(range(1, 200_000))


def test_hamming_join_nothing_gives_nothing():
    assert len(hamming_join(np.empty((0, 4), np.uint64), 24).one) == 0
    assert len(hamming_join(hashes(1), 24).one) == 0


@pytest.mark.parametrize("max_bits", [-1, 25])
def test_hamming_bands_distance_that_chunks_cannot_find_is_refused(max_bits: int):
    with pytest.raises(ValueError, match="max_bits"):
        hamming_bands(hashes(1), max_bits)


def test_hamming_bands_settle_near_hashes():
    words = hashes(500)
    words = np.concatenate([words, flipped(words, 10)])
    settled = settle(
        hamming_bands(words, 24),
        np.ones(1000, np.bool_),
        np.arange(1000),
        Hamming(words, 24),
        leaders=HAMMING_LEADERS,
    )
    assert settled.kept_by.tolist() == [-1] * 500 + list(range(500))
    assert set(settled.similarity[500:].tolist()) == {1 - 10 / 256}
