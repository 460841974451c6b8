from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.dedup_corpora.oracle import Pairs, greedy, shingled, similar_pairs
from benchmarks.dedup_corpora.templated import templated
from benchmarks.dedup_corpora.words import shingles_of

TAU = 0.8


def plain_pairs(texts: list[str], tau: float) -> dict[tuple[int, int], float]:
    sets = [shingles_of(text) for text in texts]
    scores = {
        (i, j): len(sets[i] & sets[j]) / len(sets[i] | sets[j])
        for i, j in combinations(range(len(texts)), 2)
        if sets[i] and sets[j]
    }
    return {pair: score for pair, score in scores.items() if score >= tau - 1e-9}


def found_pairs(texts: list[str], tau: float) -> dict[tuple[int, int], float]:
    pairs = similar_pairs(shingled(texts), tau)
    ends = zip(pairs.left.tolist(), pairs.right.tolist(), strict=True)
    return dict(zip(ends, pairs.similarity.tolist(), strict=True))


@given(st.lists(st.text("ab ", max_size=40), max_size=12), st.sampled_from([0.3, 0.5, 0.8, 1.0]))
def test_pairs_of_small_texts_equal_brute_force(texts: list[str], tau: float) -> None:
    assert found_pairs(texts, tau) == pytest.approx(plain_pairs(texts, tau))


def test_pairs_of_templated_rows_equal_brute_force() -> None:
    texts = list(templated(400))
    assert found_pairs(texts, TAU) == pytest.approx(plain_pairs(texts, TAU))
    assert found_pairs(texts, TAU)


def test_text_of_few_words_is_one_shingle_and_without_words_none() -> None:
    assert shingles_of("Yes, it is.") == {"yes it is"}
    assert shingles_of(" ... ") == set()


def test_texts_without_words_are_no_duplicates() -> None:
    assert not found_pairs(["", "", "...", "..."], TAU)


def test_greedy_names_first_kept_row_and_never_a_dropped_one() -> None:
    pairs = Pairs(np.array([0, 1, 2, 0]), np.array([1, 2, 3, 3]), np.ones(4))
    assert greedy(4, pairs).tolist() == [-1, 0, -1, 0]


def test_greedy_does_not_depend_on_order_of_pairs() -> None:
    pairs = similar_pairs(shingled(list(templated(500))), TAU)
    shuffled = np.random.default_rng(1).permutation(len(pairs.left))
    again = Pairs(pairs.left[shuffled], pairs.right[shuffled], pairs.similarity[shuffled])
    assert greedy(500, pairs).tolist() == greedy(500, again).tolist()
