"""Pairs of duplicates on the page: words that differ, hostile text, a bound on size."""

from typing import Any

import pyarrow as pa
import pytest

from tasks.publish.clusters import MAX_WORDS, Passage, marked, read_pairs
from tasks.publish.report import render_report
from tasks.publish.report_data import report_data
from tests.sql.healthy import healthy
from tests.sql.lake_tables import Rows, connect

EVIL = "<script>alert('x')</script>"


def query_of(rows: Rows) -> Any:
    con = connect(rows)

    def query(sql: str, values: Any) -> pa.Table:
        return con.execute(sql, values).to_arrow_table()

    return query


@pytest.mark.parametrize(
    ("text", "other", "expected"),
    [
        ("a red cup", "a blue cup", [("a", False), ("red", True), ("cup", False)]),
        ("same words", "same words", [("same words", False)]),
        ("all new", None, [("all new", True)]),
        (None, "gone", []),
    ],
)
def test_words_the_other_member_lacks_are_marked(
    text: str | None, other: str | None, expected: list[tuple[str, bool]]
):
    assert marked(text, other) == tuple(Passage(*each) for each in expected)


def test_long_texts_are_cut():
    (passage,) = marked("word " * 100_000, "word " * 100_000)
    assert len(passage.text.split()) == MAX_WORDS + 1


def test_page_shows_the_kept_member_first_and_escapes_both():
    rows = healthy()
    rows["samples"][2]["question"] = f"how many {EVIL}?"
    page = render_report(report_data(query_of(rows)))
    section = page[page.index('id="duplicates"') : page.index('id="samples"')]
    assert EVIL not in page
    assert "&lt;script&gt;" in section
    assert section.index("Kept") < section.index("Dropped")


def test_pairs_end_where_their_pictures_would_be_too_large():
    pairs = list(read_pairs(query_of(healthy()), 10**6))
    assert [(pair.kept.item_id, pair.item.item_id) for pair in pairs] == [
        ("c1", "c2"),
        ("s2", "s3"),
    ]
    assert list(read_pairs(query_of(healthy()), -1)) == []
