"""The kernels give exactly what a slow implementation in plain Python gives."""

# ruff: noqa: RUF001 - the characters that look alike are the cases

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.text_keys.characters import prepared
from tasks.text_keys.keys import TextKeyParams, ngrams, text_keys
from tests.tasks.text_keys import oracle

PARAMS = TextKeyParams(shingle_words=3, bands=4, rows=3, seed=7)

ALPHABET = "aAbZz09 .,'-\n\t(éßİ中か가กเ\u200b²½٣→€\U0001f600\U0002a6d6ǅ\u0301\udc80\udcff"
TEXTS = st.one_of(
    st.text(ALPHABET, max_size=60), st.text(max_size=40), st.text("ab ", max_size=200)
)


def as_bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass" if _has_high_surrogate(text) else "surrogateescape")


def _has_high_surrogate(text: str) -> bool:
    return any(0xD800 <= ord(c) < 0xDC80 or 0xDCFF < ord(c) < 0xE000 for c in text)


def seen(raw: bytes) -> str:
    """Return the text the tokeniser sees."""
    return (raw if raw.isascii() else prepared(raw)).decode("utf-8", "surrogateescape")


@settings(max_examples=150, deadline=None)
@given(st.lists(TEXTS.map(as_bytes), min_size=1, max_size=6))
def test_text_keys_of_any_rows_equal_the_oracle(rows: list[bytes]):
    keys = text_keys(pa.array(rows, pa.binary()), PARAMS)
    for row, raw in enumerate(rows):
        text = seen(raw)
        expected = oracle.shingles(text, 3)
        assert keys.n_tokens[row] == len(oracle.words(text))
        assert keys.shingles[keys.offsets[row] : keys.offsets[row + 1]].tolist() == expected
        least = oracle.minima(expected, 12, 7) if expected else None
        assert keys.signature[row].tolist() == (oracle.signature(least) if least else [0] * 12)
        assert keys.bands[row].tolist() == (oracle.band_keys(least, 4) if least else [0] * 4)


@settings(max_examples=60, deadline=None)
@given(st.lists(TEXTS.map(as_bytes), min_size=1, max_size=4), st.integers(1, 5))
def test_ngrams_of_any_rows_equal_the_oracle_in_order(rows: list[bytes], n: int):
    offsets, hashes = ngrams(pa.array(rows, pa.binary()), n)
    found = [hashes[offsets[i] : offsets[i + 1]].tolist() for i in range(len(rows))]
    assert found == [oracle.grams(seen(raw), n) for raw in rows]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("The DOG's tail, 3.5cm!", ["the", "dog", "s", "tail", "3", "5cm"]),
        ("x_1 e-mail", ["x", "1", "e", "mail"]),
        ("红色 ball在左", ["红", "色", "ball", "在", "左"]),
        ("Straße ÉCOLE", ["strasse", "école"]),
        ("한국어 단어", ["한국어", "단어"]),
        ("ﬁve ５", ["five", "5"]),
        ("... → ()", []),
    ],
)
def test_words_of_a_text_are_what_a_reader_calls_words(text: str, expected: list[str]):
    keys = text_keys(pa.array([text]), TextKeyParams(shingle_words=99))
    hashes = [oracle.word_hash(word) for word in expected]
    assert keys.n_tokens[0] == len(expected)
    assert keys.shingles.tolist() == ([oracle.gram_hash(hashes)] if expected else [])
