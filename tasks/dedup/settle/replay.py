"""One pass over a neighbourhood: open items are decided, the others stay what they are.

Evidence is read of open items and of the leaders they meet.  An item that led nothing may lead in
place of another one that no longer does; only then evidence of all kept neighbours is read.
"""

from collections.abc import Callable, Iterator
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from tasks.dedup.settle import kernels
from tasks.dedup.settle.kernels import Evidence, frozen
from tasks.dedup.settle.neighbourhood import Neighbourhood
from tasks.dedup.settle.resolve import KEPT, Settled, made_of, starts_of
from tasks.dedup.settle.similarity import Similarity

Tasks = npt.NDArray[np.int8]
"""int8[n]: one of the three below for each item."""

STAYS: Final = kernels.STAYS
"""The item stays what it is."""

REPLAYED: Final = kernels.REPLAYED
"""The item is compared with leaders that it was not compared with before."""

ANEW: Final = kernels.ANEW
"""The item is compared with all leaders."""


def decided(
    near: Neighbourhood,
    known: tuple[Settled, npt.NDArray[np.bool_]],
    tasks: Tasks,
    how: tuple[Callable[[pa.Array], Similarity], int],
) -> Settled:
    """Return what is known with the open items of a neighbourhood decided.

    Args:
        near: of all items that do not stay.
        known: what is known of all n items; and bool[n, bands], who led when replayed items were
            decided.
        tasks: of all n items.
        how: reads evidence; leaders of a bucket.

    Raises:
        RuntimeError: an item needs what no item may need; a bug.
    """
    (read, leaders), (now, led), n_near = how, known, len(near.items)
    own = tasks[near.items]
    order = frozen(np.arange(n_near), np.int64)
    numbers, starts = frozen(near.found.numbers, np.int32), starts_of(near.found, leaders)
    for is_read in _read_sets(near, now, own):
        evidence = _evidence(near.item_ids, is_read, read) if is_read.any() else None
        made = _taken(near, now, led)
        if evidence is None or n_near == kernels.resolve(
            order, numbers, starts, evidence, made_of(made, own)
        ):
            return _written(near, now, made, tasks)
    msg = f"expected {n_near} items to be decided by those near them"
    raise RuntimeError(msg)


def _read_sets(near: Neighbourhood, now: Settled, own: Tasks) -> Iterator[npt.NDArray[np.bool_]]:
    """Yield which items to read: those that are needed at all likelihood, then all that may be."""
    is_open = own != STAYS
    yield is_open | (now.leads[near.items] & (near.found.numbers >= 0)).any(axis=1)
    yield is_open | (now.kept_by[near.items] == KEPT)


def _evidence(
    ids: pa.Array, is_read: npt.NDArray[np.bool_], read: Callable[[pa.Array], Similarity]
) -> Evidence:
    rows = np.full(len(ids), -1, np.int32)
    rows[is_read] = np.arange(is_read.sum())
    found = read(ids.filter(pa.array(is_read))).evidence()
    return found._replace(rows=frozen(rows, np.int32))


def _taken(near: Neighbourhood, now: Settled, led: npt.NDArray[np.bool_]) -> Settled:
    """Return what is known of a neighbourhood, items numbered as in it.

    Who stays and was dropped for an item far away names itself: that says no more than dropped.
    """
    place = np.full(len(now.kept_by) + 1, KEPT, np.int64)
    place[near.items] = np.arange(len(near.items))
    keepers = now.kept_by[near.items]
    places = place[keepers]
    is_far = (keepers != KEPT) & (places == KEPT)
    kept_by = np.where(is_far, np.arange(len(places)), places)
    return Settled(kept_by, now.similarity[near.items], now.band[near.items], led[near.items])


def _written(near: Neighbourhood, now: Settled, made: Settled, tasks: Tasks) -> Settled:
    """Return what is known with what was made of a neighbourhood.

    Open items apart from all lead.  Of an item that stays nothing is new but where it leads, and
    only in buckets of the neighbourhood.
    """
    found = now.copy()
    found.leads[tasks != STAYS] = True
    is_open = tasks[near.items] != STAYS
    own = near.items[is_open]
    keepers = made.kept_by[is_open]
    found.kept_by[own] = np.where(keepers == KEPT, KEPT, near.items[keepers])
    found.similarity[own], found.band[own] = made.similarity[is_open], made.band[is_open]
    is_made = is_open[:, None] | (near.found.numbers >= 0)
    found.leads[near.items] = np.where(is_made, made.leads, now.leads[near.items])
    return found
