import itertools
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.answers import AnswerKind, Known, comparable, match_answer, quantity_of

COLOURS = ("red", "blue", "the green one")


@pytest.mark.parametrize(
    ("kind", "stated", "known", "matched"),
    [
        ("yes_no", "Yes, it is.", "yes", True),
        ("yes_no", "The answer is no", "Yes", False),
        ("yes_no", "True", "yes", True),
        ("yes_no", "Yes, there is no bird.", "yes", True),
        ("yes_no", "maybe", "no", None),
        ("yes_no", "yes", "sometimes", None),
        ("number", "1,234", "1234", True),
        ("number", "12.50", "12.5", True),
        ("number", "three birds", "3", True),
        ("number", "Twenty", "20", True),
        ("number", "\N{MINUS SIGN}3", "-3", True),
        ("number", "3", "-3", False),
        ("number", "$1,000.00", "1000", True),
        ("number", "5 cm", "5 mm", False),
        ("number", "5 centimeters", "5 cm", True),
        ("number", "5", "5 cm", True),
        ("number", "42 %", "42 percent", True),
        ("number", "3 or 4", "3", None),
        ("number", "2-3", "2", None),
        ("number", "1.2.3", "1", None),
        ("number", "1,23", "123", None),
        ("number", "many", "3", None),
        ("number", "3", "many", None),
        ("number", "100", "100.01", False),
        ("text", "The Red Car!", "red car", True),
        ("text", "\ufb01ne", "fine", True),
        ("text", "RM 193.00", "RM193.00", True),
        ("text", "rm193.00.", "RM193.00", True),
        ("text", "193.00", "RM193.00", False),
        ("text", "12.50", "1250", False),
        ("text", "12/03/2018", "12-03-2018", False),
        ("text", "12 Jan 2018", "12 JAN 2018", True),
        ("text", "12 Jan 2018", "13 Jan 2018", False),
        ("text", "$5", "5", False),
        ("text", "NO 53 55,57 & 59, JALAN SAGU 18", "No. 53 55,57 & 59 Jalan Sagu 18", True),
        ("text", "a", "A", True),
        (None, "Red car", "red car.", True),
        ("essay", "a", "a", None),
        ("text", None, "a", None),
        ("text", "a", None, None),
        ("text", " ", "a", None),
    ],
)
def test_match_answer_by_kind_is_yes_no_or_undecided(
    kind: str | None, stated: Any, known: str | None, *, matched: bool | None
):
    assert match_answer(stated, Known(known, kind)).matched is matched


@pytest.mark.parametrize(
    ("stated", "known", "matched"),
    [
        ("B", "b", True),
        ("(B)", "blue", True),
        ("b)", "blue", True),
        ("(B) blue", "B", True),
        ("B. Blue", "B", True),
        ("Blue.", "B", True),
        ("The answer is (A)", "red", True),
        ("Option C", "green one", True),
        ("green one", "A", False),
        ("B. red", "B", None),
        ("purple", "A", None),
        ("Z", "A", None),
        ("A", "purple", None),
    ],
)
def test_match_answer_of_options_reads_letter_and_text(
    stated: Any, known: str | None, *, matched: bool | None
):
    assert match_answer(stated, Known(known, "choice", COLOURS)).matched is matched


def test_match_answer_where_letters_are_options_of_other_letters_is_undecided():
    assert match_answer("B", Known("A", "choice", ("B", "A"))).matched is None


@pytest.mark.parametrize(
    ("stated", "matched"), [("105", True), ("95", True), ("105.1", False), ("94.99", False)]
)
def test_match_answer_with_the_relaxed_tolerance_holds_at_exactly_5_percent(
    stated: Any, *, matched: bool | None
):
    """ChartQA's relaxed accuracy, arXiv:2203.10244."""
    assert match_answer(stated, Known("100", "number"), 0.05).matched is matched


def test_match_answer_with_a_tolerance_of_a_known_zero_is_exact():
    assert match_answer("0.0", Known("0", "number"), 0.05).matched is True
    assert match_answer("0.001", Known("0", "number"), 0.05).matched is False


KINDS = st.sampled_from([*AnswerKind, None])


@given(st.text(), st.text(), KINDS, st.lists(st.text(), max_size=4))
def test_match_answer_of_any_texts_never_raises_and_never_contradicts_itself(
    a: Any, b: Any, kind: str | None, choices: list[str]
):
    for stated, known in itertools.product((a, b), repeat=2):
        matched = match_answer(stated, Known(known, kind, choices)).matched
        assert matched in {True, False, None}
        if stated == known:
            assert matched is not False
    forth = match_answer(a, Known(b, kind, choices)).matched
    assert match_answer(b, Known(a, kind, choices)).matched is forth


@given(st.text(), st.sampled_from(["{}", " {}", "{} ", "\t{}\n"]))
def test_comparable_ignores_outer_white_space_and_is_stable(text: str, form: str):
    once = comparable(text)
    assert comparable(form.format(text)) == once


@given(st.decimals(-(10**9), 10**9, places=2))
def test_quantity_of_any_printed_figure_reads_it_back(value: Any):
    assert quantity_of(f"{value}").value == value
    assert quantity_of(f"{value:,}").value == value
    assert quantity_of(f"about {value} kg").unit == "kg"


@given(st.integers(0, 10**6), st.integers(0, 10**6))
def test_match_answer_of_two_integers_is_equality(a: Any, b: Any):
    assert match_answer(str(a), Known(str(b), "number")).matched is (a == b)
    assert match_answer(str(a), Known(str(b), "text")).matched is (a == b)


def test_match_answer_of_every_real_sroie_answer_with_itself_matches(real_data: Path):
    import json

    path = real_data / "sroie_viscot" / "samples.jsonl"
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    assert rows
    for row in rows:
        spaced = f"  {row['answer'].lower()} "
        assert match_answer(spaced, Known(row["answer"], "text")).matched is True
