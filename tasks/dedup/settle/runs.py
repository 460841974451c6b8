"""Sorted runs of band keys: where new keys meet old ones without a look at every old key.

A run holds the keys of the items that came together, sorted in each band.  New runs are appended;
the last two are merged when they are of about one size, so there are only logarithmically many.
A search gallops: it costs little for a few new keys and no more than a merge for many.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tasks.dedup.settle.kernels import Ints, Numbers, Words, frozen
from tasks.text_keys.compiled import compiled

Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Run:
    """Band keys of some items.

    Fields:
        keys: uint64[bands, m], ascending in each band.
        slots: int32[bands, m], whose key it is.
    """

    keys: npt.NDArray[np.uint64]
    slots: npt.NDArray[np.int32]

    def __len__(self) -> int:
        return int(self.keys.shape[1])

    @property
    def arrays(self) -> tuple[Words, Numbers]:
        """Return keys and slots for the kernels."""
        return frozen(self.keys, np.uint64), frozen(self.slots, np.int32)


def sorted_run(bands: npt.NDArray[np.uint64], slots: npt.NDArray[np.int64]) -> Run:
    """Return the run of items with `bands` uint64[m, bands] in `slots` int64[m]."""
    order = [np.argsort(column) for column in np.ascontiguousarray(bands.T)]
    keys = np.empty(bands.shape[::-1], np.uint64)
    places = np.empty(bands.shape[::-1], np.int32)
    for band, by_key in enumerate(order):
        keys[band], places[band] = bands[by_key, band], slots[by_key]
    return Run(keys, places)


def mark_meetings(
    new: Run, old: Run, is_live: Flags, component: npt.NDArray[np.int64], is_touched: Flags
) -> None:
    """Mark new items that share a key with a live old one, and the components of the old ones.

    Args:
        new: run of items each of which is its own component.
        old: another run, or `new` itself.
        is_live: bool[slots].
        component: int64[slots].
        is_touched: bool[slots] by component; written in place.
    """
    labels = frozen(component, np.int64)
    if new is old:
        _mark_repeats(*new.arrays, is_touched)
    else:
        _mark(new.arrays, old.arrays, frozen(is_live, np.bool_), labels, is_touched)


def keys_of(
    runs: tuple[Run, ...], slots: npt.NDArray[np.int64], n_slots: int, n_bands: int
) -> tuple[npt.NDArray[np.uint64], Flags]:
    """Return `bands` and `has_bands` of the items in `slots`, in their order."""
    places = np.full(n_slots, -1, np.int32)
    places[slots] = np.arange(len(slots))
    bands = np.zeros((len(slots), n_bands), np.uint64)
    has_bands = np.zeros(len(slots), np.bool_)
    for run in runs:
        _collect(*run.arrays, frozen(places, np.int32), bands, has_bands)
    return bands, has_bands


def appended(runs: tuple[Run, ...], new: Run) -> tuple[Run, ...]:
    """Return the runs with `new`, merged so that each is over twice as long as the next."""
    listed = [*runs, new] if len(new) else [*runs]
    while len(listed) > 1 and 2 * len(listed[-1]) >= len(listed[-2]):
        last, before = listed.pop(), listed.pop()
        listed.append(Run(*_merged(before.arrays, last.arrays)))
    return tuple(listed)


def renumbered(run: Run, new_slots: npt.NDArray[np.int64]) -> Run:
    """Return the run with every slot replaced; items whose new slot is negative leave it."""
    slots = new_slots[run.slots]
    stays = slots >= 0
    shape = (len(slots), -1)
    return Run(run.keys[stays].reshape(shape), slots[stays].astype(np.int32).reshape(shape))


@compiled
def _mark_repeats(keys: Words, slots: Numbers, is_touched: Flags) -> None:
    for band in range(keys.shape[0]):
        for place in range(1, keys.shape[1]):
            if keys[band, place] == keys[band, place - 1]:
                is_touched[slots[band, place]] = True
                is_touched[slots[band, place - 1]] = True


@compiled
def _mark(
    new: tuple[Words, Numbers],
    old: tuple[Words, Numbers],
    is_live: Flags,
    component: Ints,
    is_touched: Flags,
) -> None:
    """Take new keys in order; live members of one old bucket are in one component."""
    keys, slots = new
    old_keys, old_slots = old
    for band in range(keys.shape[0]):
        at, meets = 0, False
        for place in range(keys.shape[1]):
            key = keys[band, place]
            if place == 0 or key != keys[band, place - 1]:
                at, meets = _first_not_below(old_keys, band, at, key), False
                while at < old_keys.shape[1] and old_keys[band, at] == key:
                    if is_live[old_slots[band, at]]:
                        is_touched[component[old_slots[band, at]]] = True
                        meets = True
                        break
                    at += 1
            if meets:
                is_touched[slots[band, place]] = True


@compiled
def _first_not_below(keys: Words, band: int, start: int, key: np.uint64) -> int:
    """Return the first place from `start` on whose key is not below `key`: steps that double."""
    low, step = start, 1
    while low + step < keys.shape[1] and keys[band, low + step] < key:
        low, step = low + step, 2 * step
    high = min(low + step, keys.shape[1])
    while low < high:
        middle = (low + high) // 2
        if keys[band, middle] < key:
            low = middle + 1
        else:
            high = middle
    return low


@compiled
def _collect(keys: Words, slots: Numbers, places: Numbers, bands: Words, has_bands: Flags) -> None:
    for band in range(keys.shape[0]):
        for entry in range(keys.shape[1]):
            place = places[slots[band, entry]]
            if place >= 0:
                bands[place, band] = keys[band, entry]
                has_bands[place] = True


@compiled
def _merged(one: tuple[Words, Numbers], other: tuple[Words, Numbers]) -> tuple[Words, Numbers]:
    n_bands, length = one[0].shape[0], one[0].shape[1] + other[0].shape[1]
    keys, slots = np.empty((n_bands, length), np.uint64), np.empty((n_bands, length), np.int32)
    for band in range(n_bands):
        left, right = 0, 0
        for place in range(length):
            is_left = right >= other[0].shape[1] or (
                left < one[0].shape[1] and one[0][band, left] <= other[0][band, right]
            )
            if is_left:
                keys[band, place], slots[band, place] = one[0][band, left], one[1][band, left]
                left += 1
            else:
                keys[band, place], slots[band, place] = other[0][band, right], other[1][band, right]
                right += 1
    return keys, slots
