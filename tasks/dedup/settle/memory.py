"""A settlement with what it was made from, so that the next one settles what is new alone.

An item is as it was if the digest of everything that it is compared by is.  Any other item is
deleted and added again.  Nothing here depends on how the items came to be as they are: the result
equals a settlement of the current items from nothing, row by row.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from tasks.dedup.settle.extend import Added, Changes, Ranked, extend
from tasks.dedup.settle.similarity import Similarity
from tasks.dedup.settle.state import Settlement, empty

Read = Callable[[pa.Array], Similarity]
"""Returns the similarity over the items with these ids, in their order."""

MOST_CHANGED: Final = 0.5
"""Share of items beyond which settling from nothing is no more work."""


@dataclass(frozen=True, slots=True, eq=False)
class Remembered:
    """A settlement and the digest of each item in it: uint64[slots], any value in an empty slot."""

    settlement: Settlement
    digests: npt.NDArray[np.uint64]


@dataclass(frozen=True, slots=True, eq=False)
class Items:
    """All items as they are now.

    Fields:
        all: each of them, as items to add.
        digests: uint64[n], of what an item is compared by, its bands among it.
    """

    all: Added
    digests: npt.NDArray[np.uint64]


class Memory(Protocol):
    """Where the last settlement by a rule is kept."""

    def load(self) -> Remembered | None:
        """Return the last settlement; None if there is none that can be used."""
        ...

    def save(self, state: Remembered) -> None:
        """Keep `state` instead of the last one, if that can be done."""
        ...


class NoMemory:
    """Every settlement is made from nothing."""

    def load(self) -> None:
        """Return nothing."""

    def save(self, state: Remembered) -> None:
        """Forget it."""


def nothing_remembered(rule: str, leaders: int) -> Remembered:
    """Return what is known before the first item."""
    return Remembered(empty(rule, leaders), np.empty(0, np.uint64))


def settled_now(before: Remembered, now: Items, read: Read) -> Remembered:
    """Return the settlement of the items as they are now.

    Args:
        before: any earlier settlement by the same rule.
        now: all items.
        read: of items that share a bucket and may be decided otherwise than before.
    """
    changes, share = _changes(before, now)
    if share > MOST_CHANGED:
        fresh = empty(before.settlement.rule, before.settlement.leaders)
        settlement = extend(fresh, Changes(added=now.all), read)
    else:
        settlement = extend(before.settlement, changes, read)
    rows = _places(settlement.item_ids, now.all.item_ids)
    known = np.append(now.digests, np.uint64(0))  # an empty slot may name an item that is gone
    return Remembered(settlement, known[rows])


def _changes(before: Remembered, now: Items) -> tuple[Changes, float]:
    """Return what differs, and how many items come or go as a share of the items now."""
    state = before.settlement
    slots = np.flatnonzero(state.is_live)
    ids = state.item_ids.take(pa.array(slots))
    rows = _places(ids, now.all.item_ids)
    stays = rows >= 0
    stays[stays] = before.digests[slots[stays]] == now.digests[rows[stays]]
    is_new = np.ones(len(now.digests), np.bool_)
    is_new[rows[stays]] = False
    moves = stays.copy()
    moves[stays] = state.priority[slots[stays]] != now.all.priority[rows[stays]]
    changes = Changes(
        deleted=_chosen(ids, ~stays),
        ranked=Ranked(_chosen(ids, moves), now.all.priority[rows[moves]]),
        added=Added(
            _chosen(now.all.item_ids, is_new),
            now.all.priority[is_new],
            now.all.bands[is_new],
            now.all.has_bands[is_new],
        ),
    )
    return changes, (int((~stays).sum()) + int(is_new.sum())) / max(len(now.digests), 1)


def _chosen(ids: pa.Array | pa.ChunkedArray, is_chosen: npt.NDArray[np.bool_]) -> pa.Array:
    chosen = ids.filter(pa.array(is_chosen))
    return chosen.combine_chunks() if isinstance(chosen, pa.ChunkedArray) else chosen


def _places(ids: pa.ChunkedArray, among: pa.Array) -> npt.NDArray[np.int64]:
    """Return where each id stands in `among`, or -1."""
    found = pc.fill_null(pc.index_in(ids, value_set=among.cast(pa.large_string())), -1)
    places: npt.NDArray[np.int64] = found.to_numpy().astype(np.int64)
    return places
