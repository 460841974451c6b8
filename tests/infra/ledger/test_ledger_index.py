"""Index: every indexed call is a candidate where it stands; misses are rare, never wrong."""

import hashlib

from hypothesis import given
from hypothesis import strategies as st

from infra.ledger.index import LedgerIndex
from infra.ledger.row import CallKey, LedgerRow
from tests.infra.teachers import paid_row


def key(number: int, draw: int = 0) -> CallKey:
    return (hashlib.sha256(str(number).encode()).hexdigest(), draw)


@given(st.lists(st.lists(st.tuples(st.integers(0, 50), st.integers(0, 3)), max_size=8), max_size=5))
def test_every_indexed_call_has_its_parts_as_candidates(parts: list[list[tuple[int, int]]]):
    index = LedgerIndex()
    for number, calls in enumerate(parts):
        index.add(f"part{number}", [key(*call) for call in calls])
    for call in {call for calls in parts for call in calls}:
        expected = [f"part{n}" for n, calls in enumerate(parts) if call in calls]
        assert index.candidates(key(*call)) == expected


def test_draws_of_one_request_are_told_apart():
    index = LedgerIndex()
    index.add("a", [key(1, draw) for draw in range(100)])
    assert index.candidates(key(1, 100)) == []


def test_part_added_twice_counts_once():
    index = LedgerIndex()
    index.add("a", [key(1)])
    index.add("a", [key(1)])
    assert len(index) == 1


@given(st.text(), st.integers(0, 2**52))
def test_row_survives_the_spool(text: str, received_us: int):
    from dataclasses import replace

    row = replace(paid_row(1), response_json=text, received_us=received_us)
    assert LedgerRow.from_payload(row.to_payload()) == row
