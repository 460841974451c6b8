import time

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.dedup.keys import NULL_CODE, list_codes, normalise, text_codes

SAME = [
    ("What is it?", "  what\tIS it ?"),
    ("Yes.", "yes"),
    ('"Yes."', "Yes"),
    ("Stop!", "stop"),
    ("(a)", "A"),
    ("\uff39\uff45\uff53 \uff11\uff12", "yes 12"),
    ("cafe\u0301", "caf\u00e9"),
    ("straße", "STRASSE"),
    ("\ufeffyes\u200b", "yes"),
    ("red,", "red"),
]
DIFFERENT = [
    ("5", "-5"),
    ("5", "5%"),
    ("5", "$5"),
    ("5", "5!"),
    ("5'", '5"'),
    (".97", "97"),
    ("2\u2075", "25"),
    ("H\u2082O", "H2O"),
    ("1\u00bd", "11/2"),
    ("5 km", "5 m"),
    ("is red", "is not red"),
    ("can", "can't"),
    ("3.14", "314"),
    ("10:30", "1030"),
    ("(a)(b)", "a)(b"),
    ("?", ""),
    ("???", "!"),
]


@pytest.mark.parametrize(("one", "other"), SAME)
def test_normalise_form_alone_makes_no_difference(one: str, other: str):
    assert normalise(one) == normalise(other)


@pytest.mark.parametrize(("one", "other"), DIFFERENT)
def test_normalise_numbers_signs_units_and_negation_are_kept(one: str, other: str):
    assert normalise(one) != normalise(other)


@given(st.text())
def test_normalise_again_changes_nothing_that_matters(text: str):
    assert bool(normalise(text)) == bool(normalise(normalise(text)))
    assert normalise(text) == normalise(" " + text + "\n")


@pytest.mark.parametrize("unit", [".", "!", ".!", '"(', "((", "a.", "\u2075", " "])
def test_normalise_a_long_text_takes_linear_time(unit: str):
    text = unit * (500_000 // len(unit)) + "x"
    started = time.process_time()
    normalise(text)
    assert time.process_time() - started < 10


def test_text_codes_equal_exactly_where_texts_say_the_same():
    codes = text_codes(pa.chunked_array([["Yes.", None, "no"], ["yes", "", None]]))
    assert codes[0] == codes[3]
    assert len({codes[0], codes[2], codes[4]}) == 3
    assert codes[1] == codes[5] == NULL_CODE


def test_text_codes_bytes_that_are_no_utf8_stay_apart():
    raw = [b"\xff", b"\xfe", b"\xff", b"\xed\xa0\x80"]
    offsets = pa.py_buffer(np.cumsum([0, *map(len, raw)]).astype(np.int32))
    broken = pa.StringArray.from_buffers(len(raw), offsets, pa.py_buffer(b"".join(raw)))
    codes = text_codes(pa.chunked_array([broken]))
    assert codes[0] == codes[2]
    assert len(set(codes.tolist())) == 3


def test_text_codes_column_without_type_or_rows():
    assert text_codes(pa.chunked_array([pa.nulls(2)])).tolist() == [NULL_CODE] * 2
    assert text_codes(pa.chunked_array([], pa.string())).tolist() == []


@given(st.lists(st.none() | st.lists(st.integers(0, 3), max_size=3)))
def test_list_codes_equal_exactly_for_equal_lists(lists: list[list[int] | None]):
    lengths = np.array([-1 if x is None else len(x) for x in lists], dtype=np.int64)
    items = np.array([i for x in lists for i in x or ()], dtype=np.int64)
    codes = list_codes(lengths, items).tolist()
    for one, code in zip(lists, codes, strict=True):
        assert [c == code for c in codes] == [other == one for other in lists]
