"""What a lake keeps of a ledger that is not its own."""

from pathlib import Path

import pytest

from flows.receipts import keep_receipts
from infra.lake.lake import Lake
from infra.lake.objects import StorageOptions
from sightline.schemas import GENERATIONS, LEDGER
from tests.factories import commit, payload_of
from tests.flows.tables import ask

SHARED = {"subject_id": "s1", "prompt_id": "p1", "teacher": "m1"}


@pytest.fixture
def lakes(tmp_path: Path) -> tuple[Lake, Lake]:
    """A lake with one reply, and the lake whose ledger paid for it and for more."""
    built, payer = (Lake(tmp_path / name, StorageOptions()) for name in ("built", "payer"))
    commit(built, GENERATIONS, payload_of(GENERATIONS, 1, request_key="long", draw=0, **SHARED))
    keys, outcomes = ["long", "cut", "other"], ["success", "truncated", "success"]
    calls = payload_of(
        LEDGER, 3, request_key=keys.__getitem__, outcome=outcomes.__getitem__, draw=0, **SHARED
    )
    commit(payer, LEDGER, calls)
    return built, payer


def kept(lake: Lake) -> list[str]:
    return [row["request_key"] for row in ask(lake, "select request_key from ledger order by all")]


def test_receipts_are_the_replies_used_and_the_cut_ones_they_replaced(lakes: tuple[Lake, Lake]):
    assert keep_receipts(*lakes) == 2
    assert kept(lakes[0]) == ["cut", "long"]


def test_receipts_kept_again_replace_the_earlier_ones(lakes: tuple[Lake, Lake]):
    built, payer = lakes
    keep_receipts(built, payer)
    more = payload_of(GENERATIONS, 1, request_key="other", draw=0, generation_id="g2", **SHARED)
    commit(built, GENERATIONS, more, part="q")
    assert keep_receipts(built, payer) == 3
    assert keep_receipts(built, payer) == 3
    assert kept(built) == ["cut", "long", "other"]


def test_receipts_of_a_lake_without_replies_are_none(lakes: tuple[Lake, Lake], tmp_path: Path):
    empty = Lake(tmp_path / "empty", StorageOptions())
    assert keep_receipts(empty, lakes[1]) == 0
