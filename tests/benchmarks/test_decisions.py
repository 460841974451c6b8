import numpy as np
import pytest

from benchmarks.dedup_corpora.oracle import shingled, similar_pairs
from benchmarks.measuring.decisions import Decisions, Truth, judged

WORDS = [f"w{number}" for number in range(60)]
TEXT = " ".join(WORDS)
NEAR = " ".join(["other", *WORDS[1:]])
STRANGER = " ".join(f"s{number}" for number in range(60))
TEXTS = [TEXT, NEAR, STRANGER]


@pytest.fixture(scope="module")
def truth() -> Truth:
    sets = shingled(TEXTS)
    return Truth(sets, similar_pairs(sets, 0.8), 0.8)


def test_judge_of_the_oracle_itself_finds_nothing(truth: Truth):
    kept_by = np.where(truth.kept_by < 0, np.arange(3), truth.kept_by)
    found = judged(Decisions(truth.kept_by < 0, kept_by), truth)
    assert (found["dropped"], found["dropped_false"], found["ruined"]) == (1, 0, 0)
    assert (found["residual"], found["kept_set_difference"]) == (0, 0.0)


def test_judge_counts_a_duplicate_that_stays(truth: Truth):
    found = judged(Decisions(np.ones(3, bool), np.arange(3)), truth)
    assert (found["residual"], found["residual_share_of_duplicates"]) == (1, 1.0)
    assert found["kept_set_difference"] == 0.5


def test_judge_counts_a_stranger_that_is_dropped(truth: Truth):
    found = judged(Decisions(np.array([True, False, False]), np.array([0, 0, 0])), truth)
    assert (found["dropped_false"], found["ruined"]) == (1, 1)
    assert found["dropped_true_to_a_kept_row"] == 0.5


def test_judge_a_named_row_that_is_dropped_itself_is_false(truth: Truth):
    found = judged(Decisions(np.array([True, False, True]), np.array([0, 1, 2])), truth)
    assert (found["dropped_false"], found["ruined"]) == (1, 0)


def test_judge_scheme_that_names_no_row_is_judged_by_any_kept_one(truth: Truth):
    found = judged(Decisions(np.array([False, True, True]), None), truth)
    assert found["dropped_true_to_named_row"] is None
    assert found["dropped_true_to_a_kept_row"] == 1.0
