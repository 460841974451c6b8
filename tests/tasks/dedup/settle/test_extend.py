from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sightline.errors import LakeError
from tasks.dedup.settle.extend import Added, Changes, Ranked, extend
from tasks.dedup.settle.state import Settlement, empty, loaded
from tests.tasks.dedup.settle import oracle

TAU = 0.5
RULE = "jaccard>=0.5"

RANDOM = np.random.default_rng(3)
POOL = oracle.items(
    [frozenset(RANDOM.integers(0, 14, RANDOM.integers(0, 7)).tolist()) for _ in range(60)]
)
"""Every item that a history below may add; its number is its place."""

IDS = [f"item-{place * 7919 % 60:02d}" for place in range(60)]
numbers = st.lists(st.integers(0, 59), max_size=25, unique=True)
priorities = st.lists(st.integers(0, 2), min_size=60, max_size=60)
step = st.tuples(numbers, numbers, numbers, priorities)


class Lake:
    """Live items with their priorities, and what was read of them."""

    def __init__(self, leaders: int) -> None:
        self.state = empty(RULE, leaders)
        self.priority: dict[int, int] = {}
        self.read_ids: list[str] = []

    def read(self, ids: pa.Array) -> Any:
        self.read_ids += ids.to_pylist()
        return POOL.take([IDS.index(i) for i in ids.to_pylist()]).similarity(TAU)

    def change(self, deleted: Any = (), ranked: Any = (), added: Any = (), rank: Any = None):
        rank = rank or [0] * 60
        gone = [n for n in deleted if n in self.priority]
        moved = [n for n in ranked if n in self.priority and n not in gone]
        new = [n for n in added if n not in self.priority or n in gone]
        self.priority = {n: p for n, p in self.priority.items() if n not in gone}
        self.priority |= {n: rank[n] for n in [*moved, *new]}
        self.read_ids = []
        self.state = extend(
            self.state,
            Changes(
                deleted=ids_of(gone),
                ranked=Ranked(ids_of(moved), np.array([rank[n] for n in moved], np.int64)),
                added=Added(
                    ids_of(new),
                    np.array([rank[n] for n in new], np.int64),
                    POOL.bands[new],
                    POOL.has_bands[new],
                ),
            ),
            self.read,
        )

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


def ids_of(members: Any) -> pa.Array:
    return pa.array([IDS[n] for n in members], pa.string())


def decided(state: Settlement) -> dict[str, tuple[str | None, float, int]]:
    rows = state.decisions().to_pylist()
    assert len({row["item"] for row in rows}) == len(rows)
    return {row["item"]: (row["kept"], row["similarity"], row["band"]) for row in rows}


@settings(deadline=None)
@given(st.lists(step, max_size=6), st.sampled_from([1, 2, 64]))
def test_extend_any_history_equals_a_full_settlement(history: Any, leaders: int):
    lake = Lake(leaders)
    for deleted, ranked, added, rank in history:
        lake.change(deleted, ranked, added, rank)
        assert decided(lake.state) == lake.expected()


@settings(deadline=None)
@given(st.lists(step, min_size=1, max_size=4))
def test_extend_after_writing_and_loading_goes_on_as_before(history: Any):
    lake = Lake(64)
    for deleted, ranked, added, rank in history:
        lake.state = loaded(*lake.state.tables())
        lake.change(deleted, ranked, added, rank)
    assert decided(loaded(*lake.state.tables())) == lake.expected()


def test_extend_reads_members_of_touched_components_only():
    lake = Lake(64)
    lake.change(added=range(59))
    component = dict(zip(lake.state.item_ids.to_pylist(), lake.state.component, strict=True))
    dropped = next(n for n in range(59) if decided(lake.state)[IDS[n]][0])
    lake.change(deleted=[dropped])
    touched = {component[i] for i in lake.read_ids}
    assert touched == {component[IDS[dropped]]}
    lake.change(ranked=[3], rank=[0] * 60)
    assert lake.read_ids == []


def test_extend_a_kept_item_that_goes_brings_its_copies_back():
    lake = Lake(64)
    lake.change(added=range(60))
    before = decided(lake.state)
    kept = next(kept for kept, _, _ in before.values() if kept)
    copies = [item for item, row in before.items() if row[0] == kept]
    lake.change(deleted=[IDS.index(kept)])
    assert all(decided(lake.state)[item][0] != kept for item in copies)
    assert decided(lake.state) == lake.expected()


@pytest.mark.parametrize(
    "changes",
    [
        Changes(deleted=pa.array(["unknown"])),
        Changes(deleted=pa.array([IDS[0], IDS[0]])),
        Changes(ranked=Ranked(pa.array(["unknown"]), np.zeros(1, np.int64))),
        Changes(
            added=Added(ids_of([0]), np.zeros(1, np.int64), POOL.bands[:1], POOL.has_bands[:1])
        ),
        Changes(
            added=Added(ids_of([50, 50]), np.zeros(2, np.int64), POOL.bands[:2], POOL.has_bands[:2])
        ),
    ],
)
def test_extend_ids_that_do_not_fit_are_refused(changes: Changes):
    lake = Lake(64)
    lake.change(added=range(10))
    with pytest.raises(ValueError, match="expected ids"):
        extend(lake.state, changes, lake.read)


def test_extend_another_rule_is_refused():
    lake = Lake(64)
    lake.state = empty("jaccard>=0.9")
    with pytest.raises(ValueError, match=r"jaccard>=0\.9"):
        lake.change(added=range(60))


def test_loaded_state_of_another_version_is_refused():
    items, runs = empty(RULE).tables()
    with pytest.raises(LakeError, match="version"):
        loaded(items.replace_schema_metadata({}), runs)
