"""Every real reply is read today as it was when the golden results were accepted."""

from pathlib import Path

import pytest

from scripts.generate_reply_goldens import SETS, committed_files, golden_files
from tasks.replies.grammar import PARSER_VERSION

REGENERATE = "run: python -m scripts.generate_reply_goldens"


@pytest.fixture(scope="module")
def today(real_data: Path) -> dict[str, str]:
    return golden_files(real_data)


@pytest.mark.parametrize("name", sorted(SETS))
def test_real_replies_of_a_set_are_read_as_the_golden_results_say(
    today: dict[str, str], name: str
) -> None:
    assert today[f"{name}.csv"] == committed_files()[f"{name}.csv"], REGENERATE


def test_golden_results_cover_all_sets_and_this_parser_version(real_data: Path) -> None:
    folders = {path.parent.name for path in real_data.glob("teacher_outputs/*/outputs.jsonl")}
    assert folders == set(SETS)
    assert committed_files()["PARSER_VERSION"] == f"{PARSER_VERSION}\n", REGENERATE


def test_readings_agree_with_the_marks_the_sets_bring_along() -> None:
    """Six of 1,279 marks differ.

    Two judge scores contradict their own text, one letter is `A. (D)` and one is never stated, one
    grader does not know `<thinking>` and one does not know a role token.
    """
    lines = committed_files()["summary.csv"].splitlines()[1:]
    counts = [tuple(map(int, line.split(",")[1:])) for line in lines]
    rows, _, marked, agree = map(sum, zip(*counts, strict=True))
    assert (rows, marked, agree) == (1610, 1279, 1273)
