"""Keys depend on the text of a row alone: neither case nor layout nor other rows change them."""

# ruff: noqa: RUF001 - the characters that look alike are the cases

import dataclasses
import unicodedata
from random import Random

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.text_keys.keys import TextKeyParams, TextKeys, text_keys

PARAMS = TextKeyParams(shingle_words=2, bands=3, rows=2)
WORDS = st.sampled_from(
    ["the", "cat", "A", "(B)", "3.5", "cm", "isn't", "left", "é", "中", "-", "1,000", "%", "½", ""]
)
TEXTS = st.lists(WORDS, max_size=12).map(" ".join)
ROWS = st.lists(st.one_of(st.none(), TEXTS), min_size=1, max_size=12)


def rows_of(keys: TextKeys) -> list[tuple[object, ...]]:
    """Return every row's keys as a comparable value."""
    lists = [
        keys.shingles[a:b].tolist() for a, b in zip(keys.offsets, keys.offsets[1:], strict=False)
    ]
    plain = (keys.exact, keys.guard, keys.n_tokens, keys.bands, keys.signature)
    return list(zip(*(array.tolist() for array in plain), lists, strict=True))


def found(texts: pa.Array | pa.ChunkedArray) -> list[tuple[object, ...]]:
    return rows_of(text_keys(texts, PARAMS))


@settings(max_examples=50, deadline=None)
@given(ROWS, st.data())
def test_keys_of_any_layout_equal_those_of_a_plain_array(
    rows: list[str | None], data: st.DataObject
):
    plain = pa.array(rows, pa.string())
    expected = found(plain)
    cut = data.draw(st.integers(0, len(rows)))
    large = plain.cast(pa.large_string())
    assert found(pa.chunked_array([plain[:cut], plain[cut:]])) == expected
    assert found(large) == expected
    assert found(plain.cast(pa.string_view())) == expected
    assert found(plain.cast(pa.binary())) == expected
    assert found(plain.dictionary_encode()) == expected
    assert found(large.dictionary_encode()[cut:]) == expected[cut:]
    assert found(plain[cut:]) == expected[cut:]
    assert found(plain[:cut]) == expected[:cut]


@settings(max_examples=50, deadline=None)
@given(ROWS, st.randoms(use_true_random=False))
def test_keys_of_rows_in_another_order_are_the_same(rows: list[str | None], random: Random):
    order = list(range(len(rows)))
    random.shuffle(order)
    keys = found(pa.array(rows, pa.string()))
    assert found(pa.array([rows[i] for i in order], pa.string())) == [keys[i] for i in order]


@settings(max_examples=60, deadline=None)
@given(TEXTS, st.data())
def test_keys_ignore_case_and_the_amount_of_white_space(text: str, data: st.DataObject):
    spaces = st.sampled_from([" ", "  ", "\n", " \t\r\n", "\u00a0", "\u3000 "])
    words = text.split()
    joined = "".join(
        data.draw(st.sampled_from([str.upper, str.lower, str]))(word) + data.draw(spaces)
        for word in words
    )
    plain, other = found(pa.array([" ".join(words), data.draw(spaces) + joined]))
    assert plain == other


@pytest.mark.parametrize("form", ["NFC", "NFD", "NFKC", "NFKD"])
def test_unicode_forms_of_one_text_have_the_same_keys(form: str):
    text = "Le café Ångström 한국 が ﬁn — naïve"
    assert len(set(map(str, found(pa.array([text, unicodedata.normalize(form, text)]))))) == 1


def test_typographic_and_plain_quotes_and_dashes_have_the_same_keys():
    first, second = found(pa.array(["it isn’t “−5”", 'it isn\'t "-5"']))
    assert first == second


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("a b", "a, b"),
        ("a b", "ab"),
        ("x²", "x2"),
        ("1½", "11/2"),
        ("", "."),
        (b"caf\xe9", b"caf\xe8"),
        (b"a \xed\xa0\x80", b"a \xed\xa0\x81"),
        (b"a \xe0\x80\xaf", b"a /"),
        (b"\xff", b""),
    ],
)
def test_exact_keys_of_different_texts_differ(first: str | bytes, second: str | bytes):
    raw = [text.encode() if isinstance(text, str) else text for text in (first, second)]
    keys = text_keys(pa.array(raw, pa.binary()), PARAMS)
    assert keys.exact[0] != keys.exact[1]


def test_bytes_that_are_no_utf8_are_words_of_their_own():
    raw = [b"caf\xe9 au lait", b"caf\xe8 au lait", b"caf au lait"]
    keys = text_keys(pa.array(raw, pa.binary()), TextKeyParams())
    assert len({row[-1][0] for row in rows_of(keys)}) == 3


def test_rows_without_words_have_neither_shingles_nor_bands():
    keys = text_keys(pa.array([None, "", " \n", "?!...", "→"]), PARAMS)
    assert keys.n_tokens.tolist() == [0] * 5
    assert keys.offsets.tolist() == [0] * 6
    assert not keys.bands.any()
    assert not keys.signature.any()


@pytest.mark.parametrize("kind", [pa.string(), pa.null(), pa.dictionary(pa.int8(), pa.string())])
def test_no_rows_give_no_keys_of_the_right_shape(kind: pa.DataType):
    for empty in (pa.array([], kind), pa.chunked_array([], kind)):
        keys = text_keys(empty, PARAMS)
        assert len(keys) == 0
        assert (keys.bands.shape, keys.signature.shape) == ((0, 3), (0, 6))
        assert keys.offsets.tolist() == [0]


def test_an_all_null_column_and_null_dictionary_entries_are_empty_texts():
    encoded = pa.DictionaryArray.from_arrays(pa.array([1, None, 0]), pa.array(["a b", None]))
    assert found(encoded) == found(pa.array([None, None, "a b"]))
    assert found(pa.nulls(2)) == found(pa.array([None, None], pa.string()))


def test_bytes_under_a_null_are_not_read():
    valid = pa.py_buffer(bytes([0b101]))
    offsets = pa.py_buffer(np.array([0, 1, 4, 5], np.int32))
    texts = pa.Array.from_buffers(pa.string(), 3, [valid, offsets, pa.py_buffer(b"axyzb")])
    assert found(texts) == found(pa.array(["a", None, "b"]))


def test_a_column_of_numbers_is_refused():
    with pytest.raises(TypeError, match="int64"):
        text_keys(pa.array([1]), PARAMS)


def test_parameters_below_one_are_refused():
    with pytest.raises(ValueError, match="rows=0"):
        dataclasses.replace(PARAMS, rows=0)
