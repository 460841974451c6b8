"""Rows of any size and content are read in time that grows with their length, and alone."""

import time

import numpy as np
import pyarrow as pa
import pytest

from tasks.text_keys.keys import TextKeyParams, ngrams, text_keys

PARAMS = TextKeyParams()
MEGABYTE = 1 << 20


def numbers(n: int) -> str:
    return " ".join(map(str, range(n)))


@pytest.mark.parametrize(
    "row",
    [
        "word " * MEGABYTE,
        "ab cd " * MEGABYTE,
        numbers(MEGABYTE),
        "x" * (10 * MEGABYTE),
        "7" * (10 * MEGABYTE),
        "1,000" * MEGABYTE,
        "1." * MEGABYTE,
        "<" * (3 * MEGABYTE),
        "-" * (3 * MEGABYTE) + "5",
        "5 " + "'" * (3 * MEGABYTE),
        "a" + " " * (10 * MEGABYTE),
        "a " * MEGABYTE,
        "é" * MEGABYTE,
        "中" * MEGABYTE,
        "a" + "\u0301\u0327" * (MEGABYTE // 4),
        "\u200b" * MEGABYTE,
    ],
    ids=lambda row: repr(row[:12]),
)
def test_a_huge_row_is_read_in_linear_time_and_leaves_others_alone(row: str):
    alone = text_keys(pa.array(["the cat sat on the mat"]), PARAMS)
    started = time.process_time()
    keys = text_keys(pa.array(["the cat sat on the mat", row, None], pa.large_string()), PARAMS)
    assert time.process_time() - started < 20
    assert keys.bands[0].tolist() == alone.bands[0].tolist()
    assert keys.n_tokens[2] == 0
    own = keys.shingles[keys.offsets[1] : keys.offsets[2]]
    assert (own[1:] > own[:-1]).all()


def test_one_word_repeated_a_million_times_has_one_shingle():
    keys = text_keys(pa.array(["word " * 1_000_000]), PARAMS)
    assert keys.n_tokens.tolist() == [1_000_000]
    assert keys.offsets.tolist() == [0, 1]


def test_shingles_of_a_long_row_ascend_and_are_unique():
    shingles = text_keys(pa.array([numbers(200_000)]), PARAMS).shingles
    assert len(shingles) == 199_996
    assert (shingles[1:] > shingles[:-1]).all()


@pytest.mark.parametrize("n_words", [4095, 4096, 4097, 4100, 4101])
def test_shingles_of_rows_about_the_sorting_limit_ascend(n_words: int):
    shingles = text_keys(pa.array([numbers(n_words) + " " + numbers(n_words)]), PARAMS).shingles
    assert (shingles[1:] > shingles[:-1]).all()


def test_random_bytes_are_read_like_any_text():
    rng = np.random.default_rng(1)
    rows = [rng.bytes(int(n)) for n in rng.integers(0, 400, 500)]
    keys = text_keys(pa.array(rows, pa.binary()), PARAMS)
    again = text_keys(pa.array(rows[::-1], pa.binary()), PARAMS)
    assert np.array_equal(keys.bands, again.bands[::-1])
    assert np.array_equal(keys.guard, again.guard[::-1])


@pytest.mark.slow
def test_text_beyond_32_bit_offsets_is_read_to_its_end():
    row = ("cat dog " * (1 << 17)).encode()
    data = pa.py_buffer(row * 2100)
    offsets = pa.py_buffer(np.arange(2101, dtype=np.int64) * len(row))
    texts = pa.Array.from_buffers(pa.large_string(), 2100, [None, offsets, data])
    assert texts.nbytes > 1 << 31
    last = ngrams(texts[-2:], 13)
    assert np.array_equal(np.unique(last[1]), np.unique(ngrams(pa.array([row.decode()]), 13)[1]))


def test_many_rows_of_many_blocks_equal_the_same_rows_alone():
    rows = [f"{n} cats sit on mat {n * 7} in the {'house ' * (n % 50)}" for n in range(9000)]
    keys = text_keys(pa.chunked_array([rows[:5000], rows[5000:]]), PARAMS)
    for n in (0, 4095, 4096, 4999, 5000, 8999):
        alone = text_keys(pa.array([rows[n]]), PARAMS)
        assert keys.bands[n].tolist() == alone.bands[0].tolist()
        assert keys.guard[n] == alone.guard[0]
        assert keys.exact[n] == alone.exact[0]
        own = keys.shingles[keys.offsets[n] : keys.offsets[n + 1]]
        assert own.tolist() == alone.shingles.tolist()
