import json
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random

import pytest

from benchmarks.dedup_corpora.edits import edited, laid_out
from benchmarks.dedup_corpora.natural import natural
from benchmarks.dedup_corpora.oracle import greedy, shingled, similar_pairs
from benchmarks.dedup_corpora.real import real
from benchmarks.dedup_corpora.templated import rigid, templated
from benchmarks.dedup_corpora.words import shingles_of, words_of

Generator = Callable[..., Iterator[str]]
GENERATORS = pytest.mark.parametrize("generator", [templated, rigid, natural])


@GENERATORS
def test_corpus_is_same_for_same_seed_and_other_for_another(generator: Generator) -> None:
    assert list(generator(50, 3)) == list(generator(50, 3))
    assert list(generator(50, 3)) != list(generator(50, 4))


@GENERATORS
def test_corpus_streams_in_ranges_that_join_to_the_whole(generator: Generator) -> None:
    assert [*generator(20), *generator(30, start=20)] == list(generator(50))


@GENERATORS
def test_corpus_plants_duplicates_beyond_tau(generator: Generator) -> None:
    texts = list(generator(600))
    dropped = greedy(600, similar_pairs(shingled(texts), 0.8)) >= 0
    assert 0.05 < dropped.mean() < 0.4


def test_rows_of_templates_share_much_without_being_duplicates() -> None:
    pairs = similar_pairs(shingled(list(rigid(2000))), 0.5)
    assert (pairs.similarity < 0.8).sum() > 5 * (pairs.similarity >= 0.8).sum()


@pytest.mark.parametrize("seed", range(8))
def test_layout_changes_no_word(seed: int) -> None:
    text = "The red cup is on the left side. Therefore the answer is yes."
    assert words_of(laid_out(text, Random(seed))) == words_of(text)  # noqa: S311 - an edit


def test_one_edit_costs_at_most_five_shingles_a_side() -> None:
    text = " ".join(f"w{number}" for number in range(60))
    for seed in range(50):
        other = shingles_of(edited(text, Random(seed), 1))  # noqa: S311 - an edit
        assert len(shingles_of(text) - other) <= 6


def test_real_reads_long_texts_and_leaves_prompts_out(tmp_path: Path) -> None:
    long = "a text that has more words than the least number"
    rows = [{"prompt": long, "model_outputs": {"m": long}, "answer": "yes"}, {"thoughts": [long]}]
    lines = "".join(json.dumps(row) + "\n" for row in rows)
    (tmp_path / "outputs.jsonl").write_text(lines)
    (tmp_path / "MANIFEST.jsonl").write_text(lines)
    assert list(real(tmp_path)) == [long, long]
