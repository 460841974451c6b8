"""Settling again after any change equals settling from nothing."""

from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sightline.errors import LakeError
from tasks.dedup.settle import memory
from tasks.dedup.settle.memory import Remembered, nothing_remembered, settled_now
from tasks.dedup.settle.neighbourhood import Items
from tasks.dedup.settle.state import state_of, table_of
from tests.tasks.dedup.settle import oracle

TAU = 0.5
RULE = "jaccard>=0.5"
N_ITEMS = 90

RANDOM = np.random.default_rng(3)
POOL = oracle.items(
    [frozenset(RANDOM.integers(0, 14, RANDOM.integers(0, 7)).tolist()) for _ in range(N_ITEMS)]
)
"""Every item that a history below may hold; its number is its place."""

IDS = [f"item-{place * 7919 % N_ITEMS:02d}" for place in range(N_ITEMS)]
numbers = st.lists(st.integers(0, N_ITEMS - 1), max_size=30, unique=True)
priorities = st.lists(st.integers(0, 2), min_size=N_ITEMS, max_size=N_ITEMS)
step = st.tuples(numbers, numbers, numbers, priorities)
few = st.lists(st.integers(0, N_ITEMS - 1), max_size=3, unique=True)
small_step = st.tuples(few, few, few, priorities)


class Lake:
    """Live items with their priorities, and what was read of them."""

    def __init__(self, leaders: int) -> None:
        self.state: Remembered = nothing_remembered(RULE, leaders)
        self.priority: dict[int, int] = {}
        self.read_ids: list[str] = []

    def read(self, ids: pa.Array) -> Any:
        self.read_ids += ids.to_pylist()
        return POOL.take([IDS.index(i) for i in ids.to_pylist()]).similarity(TAU)

    def change(self, deleted: Any = (), ranked: Any = (), added: Any = (), rank: Any = None):
        rank = rank or [0] * N_ITEMS
        gone = [n for n in deleted if n in self.priority]
        moved = [n for n in ranked if n in self.priority]
        new = [n for n in added if n not in self.priority or n in gone]
        self.priority = {n: p for n, p in self.priority.items() if n not in gone}
        self.priority |= {n: rank[n] for n in [*moved, *new]}
        self.settle()

    def settle(self):
        live = list(self.priority)
        now = Items(
            pa.array([IDS[n] for n in live], pa.large_string()),
            np.array([self.priority[n] for n in live], np.int64),
            POOL.bands[live],
            POOL.has_bands[live],
            np.array(live, np.uint64) + np.uint64(1000),
        )
        self.read_ids = []
        self.state = settled_now(self.state, now, self.read)

    def decided(self) -> dict[str, tuple[str | None, float, int]]:
        names, found = [IDS[n] for n in self.priority], self.state.settled
        rows = zip(found.kept_by.tolist(), found.similarity, found.band, strict=True)
        return {
            name: (names[kept] if kept >= 0 else None, value, band)
            for name, (kept, value, band) in zip(names, rows, strict=True)
        }

    def expected(self) -> dict[str, tuple[str | None, float, int]]:
        live = list(self.priority)
        items = POOL.take(live)
        names = [IDS[n] for n in live]
        order = sorted(range(len(live)), key=lambda row: (self.priority[live[row]], names[row]))
        rows = oracle.settled(
            items.bands, items.has_bands, order, oracle.jaccard(items.sets, TAU), self.state.leaders
        )
        return {
            name: (None if kept < 0 else names[kept], value, band)
            for name, (kept, value, band) in zip(names, rows, strict=True)
        }


@settings(deadline=None)
@given(st.lists(step, max_size=6), st.sampled_from([1, 2, 3, 64]))
def test_any_history_equals_settling_from_nothing(history: Any, leaders: int):
    lake = Lake(leaders)
    for deleted, ranked, added, rank in history:
        lake.change(deleted, ranked, added, rank)
        assert lake.decided() == lake.expected()


@settings(deadline=None, max_examples=150)
@given(st.lists(small_step, max_size=6), st.sampled_from([1, 2, 3, 64]), priorities)
def test_small_changes_of_many_items_equal_settling_from_nothing(
    history: Any, leaders: int, rank: Any
):
    lake = Lake(leaders)
    lake.change(added=range(70), rank=rank)
    for deleted, ranked, added, new_rank in history:
        lake.change(deleted, ranked, added, new_rank)
        assert lake.decided() == lake.expected()


@pytest.mark.parametrize("rounds", [0, 1])
def test_settling_anew_after_too_many_rounds_gives_the_same(
    rounds: int, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(memory, "ROUNDS", rounds)
    lake = Lake(2)
    lake.change(added=range(80))
    for number in range(8):
        lake.change([number], [number + 20], [number + 80])
        assert lake.decided() == lake.expected()


def test_leads_are_those_of_settling_from_nothing():
    """What is remembered must not depend on the way to it, or a later step would go astray."""
    lake = Lake(2)
    lake.change(added=range(60))
    for number in range(60, 75):
        lake.change(added=[number])
    for number in range(60, 70):
        lake.change(deleted=[number], ranked=[number - 30], rank=[number % 3] * N_ITEMS)
    fresh = Lake(2)
    fresh.priority = lake.priority
    fresh.settle()
    assert fresh.state.settled.leads.tolist() == lake.state.settled.leads.tolist()


@settings(deadline=None)
@given(st.lists(step, min_size=1, max_size=4))
def test_state_written_and_read_goes_on_as_before(history: Any):
    lake = Lake(64)
    for deleted, ranked, added, rank in history:
        lake.state = state_of(table_of(lake.state))
        lake.change(deleted, ranked, added, rank)
    lake.state = state_of(table_of(lake.state))
    assert lake.decided() == lake.expected()


def test_unchanged_items_are_not_read():
    lake = Lake(64)
    lake.change(added=range(60))
    assert lake.read_ids
    lake.change(ranked=[3], rank=[0] * N_ITEMS)
    assert lake.read_ids == []


def test_items_behind_all_others_open_no_old_ones():
    lake = Lake(64)
    lake.change(added=range(60))
    lake.change(added=range(60, 90), rank=[1] * N_ITEMS)
    dropped = {name for name, (kept, _, _) in lake.decided().items() if kept}
    old = {IDS[n] for n in range(60)}
    assert not dropped & old & set(lake.read_ids)
    assert lake.decided() == lake.expected()


def test_kept_item_that_goes_brings_its_copies_back():
    lake = Lake(64)
    lake.change(added=range(60))
    before = lake.decided()
    kept = next(kept for kept, _, _ in before.values() if kept)
    copies = [item for item, row in before.items() if row[0] == kept]
    lake.change(deleted=[IDS.index(kept)])
    assert all(lake.decided()[item][0] != kept for item in copies)
    assert lake.decided() == lake.expected()


def test_another_rule_is_refused():
    lake = Lake(64)
    lake.state = nothing_remembered("jaccard>=0.9", 64)
    with pytest.raises(ValueError, match=r"jaccard>=0\.9"):
        lake.change(added=range(60))


def test_state_of_another_version_is_refused():
    table = table_of(nothing_remembered(RULE))
    with pytest.raises(LakeError, match="version"):
        state_of(table.replace_schema_metadata({}))
