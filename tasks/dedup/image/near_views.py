"""Candidates for crops and flips: whole pictures that look like a view of another picture.

Each view's 64 bits are cut into four chunks of 16; a whole is compared where a chunk agrees but
for one bit.  That finds every pair up to 7 bits apart and nearly all at 8.  Time is
queries x 68 probes x views per chunk value: 100,000 images take seconds, some millions need a
coarser set of views.  Candidates are few and prove nothing; `tasks.image_keys.align` decides.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from tasks.dedup.image.kernels import Ints, Words, probe_views
from tasks.dedup.settle.kernels import frozen

CANDIDATES: Final = 16
"""Nearest other pictures that one picture is compared with, pixel by pixel."""
_CHUNKS: Final = 4
_CHUNK_VALUES: Final = 1 << 16


@dataclass(frozen=True, slots=True, eq=False)
class Candidates:
    """Pairs of rows, each once, ordered by `member` and then `leader`.

    Fields:
        member: int64[pairs], the later row.
        leader: int64[pairs], the earlier row.
        viewed: int64[pairs], the row (one of the two) of which a view looks like the other.
        view: int64[pairs], number of that view.
        bits: int64[pairs], bits of 64 by which they differ.
    """

    member: Ints
    leader: Ints
    viewed: Ints
    view: Ints
    bits: Ints


def view_candidates(
    wholes: Words, has_whole: npt.NDArray[np.bool_], views: Words, max_bits: int
) -> Candidates:
    """Return which rows may show parts or mirror pictures of each other.

    Args:
        wholes: uint64[n], hash of each whole picture.
        has_whole: bool[n]; the others are left out.
        views: uint64[n, views].
        max_bits: most bits of 64.
    """
    rows = np.flatnonzero(has_whole)
    found = _joined(rows, wholes[rows], views[rows], max_bits)
    seen, query, view, bits = (found[:, column] for column in range(4))
    member, leader = np.maximum(seen, query), np.minimum(seen, query)
    order = np.lexsort((view, bits, leader, member))
    is_first = np.ones(len(order), np.bool_)
    is_first[1:] = np.diff(member[order] * len(wholes) + leader[order]) != 0
    best = order[is_first]
    near = best[np.lexsort((leader[best], bits[best], member[best]))]
    kept = near[_place_in_group(member[near]) < CANDIDATES]
    kept = kept[np.lexsort((leader[kept], member[kept]))]
    return Candidates(member[kept], leader[kept], seen[kept], view[kept], bits[kept])


def _place_in_group(groups: Ints) -> Ints:
    """Return the place of each row among the rows of its group; `groups` is sorted."""
    starts = np.flatnonzero(np.diff(groups, prepend=-1))
    sizes = np.diff(np.append(starts, len(groups)))
    places: Ints = np.arange(len(groups)) - np.repeat(starts, sizes)
    return places


def _joined(rows: Ints, wholes: Words, views: Words, max_bits: int) -> Ints:
    """Return int64[found, 4]: row seen, row asking, view, bits."""
    flat = frozen(views.reshape(-1), np.uint64)
    found = [np.empty((0, 4), np.int64)]
    for chunk in range(_CHUNKS):
        keys = ((flat >> np.uint64(16 * chunk)) & np.uint64(_CHUNK_VALUES - 1)).astype(np.int64)
        entries = np.argsort(keys, kind="stable")
        starts = np.searchsorted(keys[entries], np.arange(_CHUNK_VALUES + 1))
        about = np.array([chunk, max_bits, views.shape[1]])
        index = (frozen(entries, np.int64), frozen(starts, np.int64))
        found.append(probe_views(frozen(wholes, np.uint64), flat, *index, about))
    pairs = np.concatenate(found)
    pairs[:, 0], pairs[:, 1] = rows[pairs[:, 0]], rows[pairs[:, 1]]
    return pairs
