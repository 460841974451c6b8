import pytest
from hypothesis import given
from hypothesis import strategies as st

from sightline.errors import RecipeError
from tasks.detect.queries import character_spans, checked_queries, grouped, joined

WORDS = st.text(st.characters(whitelist_categories=["Ll"]), min_size=1, max_size=8)


def test_queries_are_plain_and_each_once():
    assert checked_queries(["Red  Mug", "red mug ", "a DOG"]) == ("red mug", "a dog")


@pytest.mark.parametrize("queries", [[], [""], ["  "], ["a cat. a dog"], ["what?"]])
def test_queries_that_are_no_phrases_are_an_error(queries: list[str]):
    with pytest.raises(RecipeError, match=r"detect\.queries"):
        checked_queries(queries)


def test_joined_is_the_published_form():
    assert joined(["a cat", "a remote control"]) == "a cat. a remote control."


@given(st.lists(WORDS, min_size=1, max_size=6))
def test_spans_cut_the_queries_out_of_the_text(queries: list[str]):
    text = joined(queries)
    assert [text[start:end] for start, end in character_spans(queries)] == queries


@given(st.lists(st.integers(1, 10), min_size=1, max_size=30))
def test_groups_hold_every_query_once_in_order_and_fit(tokens: list[int]):
    groups = grouped([f"q{n}" for n in range(len(tokens))], tokens, 12)
    assert [number for group in groups for number in group] == list(range(len(tokens)))
    assert all(sum(tokens[n] for n in group) <= 12 for group in groups)
    firsts = [group[0] for group in groups[1:]]
    assert all(
        sum(tokens[n] for n in group) + tokens[first] > 12
        for group, first in zip(groups, firsts, strict=False)
    )


def test_query_with_too_many_tokens_is_an_error_that_names_it():
    with pytest.raises(RecipeError, match=r"'long one' has 13 tokens, the most is 12"):
        grouped(["short", "long one"], [3, 13], 12)
