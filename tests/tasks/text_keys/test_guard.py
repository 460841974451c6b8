"""What two texts may differ in and still be duplicates, and what they may not."""

# ruff: noqa: RUF001 - the characters that look alike are the cases

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.text_keys.keys import TextKeyParams, text_keys
from tasks.text_keys.vocabulary import (
    NUMBER_WORDS,
    PROTECTED_WORDS,
    SAME_WORDS,
    UNITS,
    vocabulary,
)


def guards(*texts: str) -> list[int]:
    found: list[int] = text_keys(pa.array(texts), TextKeyParams()).guard.tolist()
    return found


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("5 apples", "five apples"),
        ("1,000 m", "1000 m"),
        ("1,234,567.50", "1234567.50"),
        ("3.0 cm", "3 cm"),
        (".5", "0.5"),
        ("12cm", "12 cm"),
        ("12 cm", "12 centimetres"),
        ("12-inch", "12 in"),
        ("5%", "5 percent"),
        ("20°", "20 degrees"),
        ("½ cup", "1/2 cup"),
        ("1½", "1 1/2"),
        ("2⁵", "2^5"),
        ("10⁻³", "10^-3"),
        ("５", "5"),
        ("٣", "3"),
        ("-3", "−3"),
        ("it is not", "it isn't"),
        ("it can't", "it cannot"),
        ("do not", "don’t"),
        ("a dog", "the dog"),
        ("a big dog", "this big dog"),
        ("I see it", "we see it"),
        ("I'm sure", "we are sure"),
        ("the dog's tail", "the dogs tail"),
        ("(A)", "(a)"),
        ("answer: B", "b is it"),
        ("**5**", "5"),
        ("“5”", "5"),
        ("<answer>dog</answer>", "dog"),
        ("x ≤ 5", "X  ≤\n5"),
        ("covid-19", "COVID-19"),
        ("left of the dog", "the dog, left"),
        ("grey", "gray"),
        ("the cat sat.", "the cat, sat!"),
        ("", "the cat"),
    ],
)
def test_guard_of_what_says_the_same_is_the_same(first: str, second: str):
    one, other = guards(first, second)
    assert one == other


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("5 apples", "6 apples"),
        ("5 apples", "apples"),
        ("5 and 5", "5 and the"),
        ("3.10", "3.1"),
        ("05", "5"),
        ("1.2.3", "1.2.4"),
        ("3.0.1", "3.1"),
        ("1 000", "1000"),
        ("5", "-5"),
        ("is -3", "is 3"),
        ("5", "5%"),
        ("10%", "10‰"),
        ("1e5", "1e6"),
        ("2^5", "25"),
        ("2⁵", "25"),
        ("x₂", "x²"),
        ("1½", "11/2"),
        ("3/4", "4/3"),
        ("[1, 2, 30, 40]", "[1, 2, 40, 30]"),
        ("\\frac{3}{4}", "\\frac{4}{3}"),
        ("5 - 3", "3 - 5"),
        ("5 - 3", "5 + 3"),
        ("3 + 4", "3 × 4"),
        ("3 * 4", "3 4"),
        ("10:30", "1030"),
        ("$5", "5"),
        ("€5", "£5"),
        ("5!", "5"),
        ("5' tall", '5" tall'),
        ("12 cm", "12 mm"),
        ("12cm", "12mm"),
        ("5 cm and 6 mm", "5 mm and 6 cm"),
        ("5% and 6", "5 and 6%"),
        ("5 million", "5 billion"),
        ("5k", "5bn"),
        ("twenty cats", "thirty cats"),
        ("it is", "it is not"),
        ("it is", "it isn't"),
        ("with a hat", "without a hat"),
        ("some do", "none do"),
        ("left of", "right of"),
        ("above", "below"),
        ("in front of", "behind"),
        ("inside", "in it"),
        ("more", "less"),
        ("larger", "smaller"),
        ("nearer", "farther"),
        ("before", "after"),
        ("first", "last"),
        ("true", "false"),
        ("yes", "no"),
        ("on", "off"),
        ("the red ball", "the blue ball"),
        ("in June", "in July"),
        ("(A)", "(B)"),
        ("(A) cat", "cat"),
        ("answer: A.", "answer: B."),
        ("answer is A", "answer is I"),
        ("option C", "option D"),
        ("option A is it", "option B is it"),
        ("choice a of them", "choice of them"),
        ("point P", "point Q"),
        ("b2", "b3"),
        ("x < y", "x > y"),
        ("AB<CD", "AB>CD"),
        ("x = 5", "x ≠ 5"),
        ("x = 5", "x != 5"),
        ("x <= 5", "x < 5"),
        ("x = 5, y > 3", "x > 5, y = 3"),
        ("→", "←"),
        ("✓", "✗"),
        ("在左", "在右"),
        ("不是", "是"),
        ("三只", "四只"),
    ],
)
def test_guard_of_what_says_otherwise_differs(first: str, second: str):
    one, other = guards(first, second)
    assert one != other


def test_text_without_protected_tokens_has_no_guard():
    assert guards("the cat sits on a mat", "", "...", "I see") == [0] * 4


def test_guard_of_other_words_around_the_same_tokens_in_order_is_the_same():
    one, other = guards("a red dog, 5 cats; not left", "the red puppy: 5 cats are not to the left")
    assert one == other


@pytest.mark.parametrize(
    ("one", "swapped"),
    [
        ("the first bar is 5, the other 6", "the first bar is 6, the other 5"),
        ("the cup is left of a box right of a jar", "the cup is right of a box left of a jar"),
        ("the red one is not blue", "the blue one is not red"),
    ],
)
def test_guard_of_swapped_tokens_differs(one: str, swapped: str):
    first, second = guards(one, swapped)
    assert first != second


@pytest.mark.parametrize("word", sorted({*PROTECTED_WORDS.split(), *NUMBER_WORDS.split()}))
def test_every_protected_word_counts(word: str):
    assert guards(f"the {word} thing")[0] != guards("the thing")[0]


def test_spellings_count_as_their_word():
    for word, others in SAME_WORDS.items():
        assert len({guards(spelling)[0] for spelling in (word, *others.split())}) == 1


def test_spellings_of_one_unit_are_one_and_different_units_differ():
    first = [group.split()[0] for group in UNITS.split("|")]
    assert len(set(guards(*(f"7 {unit}" for unit in first)))) == len(first)
    assert len(first) == len(set(first))


def test_table_of_words_is_sparse_enough_to_be_searched_fast():
    assert 0 < (vocabulary().hashes != 0).mean() < 0.3


WORDS = st.sampled_from(["the", "cat", "sits", "on", "mat", "and", "sees"])
PROTECTED = st.sampled_from(["5", "six", "not", "left", "red", "(B)", "3.5cm", "7%", "x=2", "-4"])


@settings(max_examples=60, deadline=None)
@given(st.lists(WORDS, min_size=1, max_size=6), st.lists(PROTECTED, max_size=4), st.data())
def test_guard_ignores_every_other_word(filler: list[str], kept: list[str], data: st.DataObject):
    other = data.draw(st.lists(WORDS, min_size=1, max_size=6))
    one, two = (f" {' '.join(part)} ".join(["", *kept, ""]) for part in (filler, other))
    assert len(set(guards(one, two))) == 1


@settings(max_examples=60, deadline=None)
@given(st.lists(PROTECTED, min_size=1, max_size=4), st.data())
def test_guard_sees_any_one_token_that_is_dropped(kept: list[str], data: st.DataObject):
    place = data.draw(st.integers(0, len(kept) - 1))
    fewer = kept[:place] + kept[place + 1 :]
    assert len(set(guards(" the ".join(kept), " the ".join(fewer)))) == 2
