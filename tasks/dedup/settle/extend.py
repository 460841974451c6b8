"""Adding, deleting and re-ranking items: only touched components are settled again.

The result equals a full settlement of all live items, row by row.  A component is touched when an
item of it is deleted or gets another priority, or when a new item shares a bucket with one of its
live items.  What comparing needs is asked of `read` for members of touched components that still
share a bucket, and for no other item.
Time: `bands` steps of a few nanoseconds per old item, and the settling of what is touched.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from tasks.dedup.settle.buckets import Buckets, buckets
from tasks.dedup.settle.components import components
from tasks.dedup.settle.order import priority_order
from tasks.dedup.settle.resolve import KEPT, settle_buckets
from tasks.dedup.settle.runs import Run, appended, keys_of, mark_meetings, sorted_run
from tasks.dedup.settle.similarity import Similarity
from tasks.dedup.settle.state import Settlement, compacted

Slots = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Added:
    """New items.

    Fields:
        item_ids: text[m], unique and not yet in the state.
        priority: int64[m], lower goes first.
        bands: uint64[m, bands].
        has_bands: bool[m].
    """

    item_ids: pa.Array
    priority: npt.NDArray[np.int64]
    bands: npt.NDArray[np.uint64]
    has_bands: npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Ranked:
    """Items in the state that get another priority: text[m] and int64[m]."""

    item_ids: pa.Array
    priority: npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Changes:
    """What changes, in this order: deletions, new priorities, additions."""

    deleted: pa.Array | None = None
    ranked: Ranked | None = None
    added: Added | None = None


def extend(
    state: Settlement, changes: Changes, read: Callable[[pa.Array], Similarity]
) -> Settlement:
    """Return the settlement of all live items after `changes`.

    Args:
        state: of all items before.
        changes: to be made.
        read: returns the similarity over the items with these ids, in their order.

    Raises:
        ValueError: a deleted or ranked id is not in the state, an added one is, or `read` compares
            by another rule than the state.
    """
    changed, is_touched = _ranked(*_deleted(state, changes.deleted), changes.ranked)
    if changes.added is not None:
        changed, is_touched = _added(changed, is_touched, changes.added)
    slots = np.flatnonzero(changed.is_live & is_touched[changed.component])
    settled = _settled_again(changed, slots, read)
    return compacted(settled) if 2 * settled.is_live.sum() < len(settled) else settled


def _deleted(state: Settlement, ids: pa.Array | None) -> tuple[Settlement, npt.NDArray[np.bool_]]:
    is_touched = np.zeros(len(state), np.bool_)
    if ids is None:
        return state, is_touched
    slots = _slots(state, ids)
    is_touched[state.component[slots]] = True
    is_live = state.is_live.copy()
    is_live[slots] = False
    return replace(state, is_live=is_live), is_touched


def _ranked(
    state: Settlement, is_touched: npt.NDArray[np.bool_], ranked: Ranked | None
) -> tuple[Settlement, npt.NDArray[np.bool_]]:
    if ranked is None:
        return state, is_touched
    slots = _slots(state, ranked.item_ids)
    is_other = state.priority[slots] != ranked.priority
    is_touched[state.component[slots[is_other]]] = True
    priority = state.priority.copy()
    priority[slots] = ranked.priority
    return replace(state, priority=priority), is_touched


def _added(
    state: Settlement, is_touched: npt.NDArray[np.bool_], added: Added
) -> tuple[Settlement, npt.NDArray[np.bool_]]:
    ids = added.item_ids.cast(pa.large_string())
    known = _live_slots(state, ids)
    if len(known) or pc.count_distinct(ids).as_py() < len(ids):
        known_ids = state.item_ids.take(pa.array(known[:3])).to_pylist()
        msg = f"expected ids that are new and unique, found again {known_ids or 'within the ids'}"
        raise ValueError(msg)
    n_new, first = len(ids), len(state)
    slots = np.arange(first, first + n_new)
    grown = replace(
        state,
        item_ids=pa.chunked_array([*state.item_ids.chunks, ids], pa.large_string()),
        priority=np.concatenate([state.priority, added.priority]),
        is_live=np.concatenate([state.is_live, np.ones(n_new, np.bool_)]),
        component=np.concatenate([state.component, slots]),
        kept_by=np.concatenate([state.kept_by, np.full(n_new, KEPT, np.int64)]),
        similarity=np.concatenate([state.similarity, np.ones(n_new)]),
        band=np.concatenate([state.band, np.full(n_new, -1, np.int16)]),
    )
    is_touched = np.concatenate([is_touched, np.zeros(n_new, np.bool_)])
    new = sorted_run(added.bands[added.has_bands], slots[added.has_bands])
    for old in (*state.runs, new):
        mark_meetings(new, old, grown.is_live, grown.component, is_touched)
    return replace(grown, runs=appended(state.runs, new)), is_touched


def _settled_again(
    state: Settlement, slots: Slots, read: Callable[[pa.Array], Similarity]
) -> Settlement:
    """Return the state with the items in `slots`, whole components, decided anew."""
    found = buckets(*_keys(state, slots))
    labels = slots[components(found)]
    is_shared = found.shares()
    sharing = slots[is_shared]
    kept_by, similarity = state.kept_by.copy(), state.similarity.copy()
    band, component = state.band.copy(), state.component.copy()
    kept_by[slots], similarity[slots], band[slots], component[slots] = KEPT, 1.0, -1, labels
    if len(sharing):
        ids = state.item_ids.take(pa.array(sharing))
        order = priority_order(state.priority[sharing], ids)
        compared = _checked(read(ids.combine_chunks()), state, len(sharing))
        shared = Buckets(found.numbers[is_shared], found.sizes)
        settled = settle_buckets(shared, order, compared, leaders=state.leaders)
        kept_by[sharing] = np.where(settled.is_kept, KEPT, sharing[settled.kept_by])
        similarity[sharing], band[sharing] = settled.similarity, settled.band
    return replace(state, kept_by=kept_by, similarity=similarity, band=band, component=component)


def _keys(state: Settlement, slots: Slots) -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.bool_]]:
    n_bands = len(state.runs[0].keys) if state.runs else 0
    runs: tuple[Run, ...] = state.runs if len(slots) else ()
    return keys_of(runs, slots, len(state), n_bands)


def _slots(state: Settlement, ids: pa.Array) -> Slots:
    """Return the slots of live items.

    Raises:
        ValueError: an id names no live item, or stands there twice.
    """
    slots = _live_slots(state, ids)
    if len(slots) != len(ids):
        known = set(state.item_ids.take(pa.array(slots)).to_pylist())
        lost = sorted(set(ids.to_pylist()) - known)[:3]
        msg = f"expected ids in the settlement, each once, found {lost or 'one twice'}"
        raise ValueError(msg)
    found = state.item_ids.take(pa.array(slots))
    order = pc.index_in(ids.cast(pa.large_string()), value_set=found.combine_chunks())
    in_order: Slots = slots[order.to_numpy()]
    return in_order


def _live_slots(state: Settlement, ids: pa.Array) -> Slots:
    """Return the slots, ascending, of live items whose id is in `ids`."""
    is_in = pc.is_in(state.item_ids, value_set=ids.cast(pa.large_string())).to_numpy()
    slots: Slots = np.flatnonzero(is_in & state.is_live)
    return slots


def _checked(similarity: Similarity, state: Settlement, n_items: int) -> Similarity:
    if similarity.rule != state.rule or len(similarity) != n_items:
        msg = (
            f"expected {n_items} items compared by {state.rule!r}, "
            f"found {len(similarity)} by {similarity.rule!r}"
        )
        raise ValueError(msg)
    return similarity
