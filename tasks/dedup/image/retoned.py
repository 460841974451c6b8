"""Charts and documents that were made brighter or darker: the same in every place, another pHash.

White paper cannot get brighter, so a change of tones moves most of the 256 bits of a chart, but few
of the 64 of its whole view, which see the coarsest shapes alone.  These give candidates, and the
comparison place by place, which maps tones onto each other first, decides.  Photos keep out:
between them the 256 bits decide, and they survive such a change.
"""

from collections.abc import Iterator
from typing import Final

import numpy as np
import numpy.typing as npt

from tasks.dedup.image.kernels import Ints, Words, near_wholes
from tasks.dedup.image.pictures import Pictures
from tasks.dedup.settle.kernels import frozen

RETONED_BITS: Final = 16
"""Of 64: 10 of 12 charts brightened by 1.2 that pHash-256 loses lie within, and 15 of 10,440 pairs
of real charts and documents."""

CANDIDATES: Final = 4
"""Nearest earlier pictures that one is compared with."""

Pair = tuple[int, int, int]
"""Member, leader, and bits of 64 between them."""


def retoned_pairs(
    wholes: Words,
    has_whole: npt.NDArray[np.bool_],
    is_photo: npt.NDArray[np.bool_],
    ids: list[str],
    pictures: Pictures,
) -> Iterator[Pair]:
    """Yield each row that says the same as one before it that stays, with the first such one.

    Args:
        wholes: uint64[n], hash of each whole picture, rows in priority order.
        has_whole: bool[n]; the others are left out.
        is_photo: bool[n]; left out too.
        ids: image id of each row.
        pictures: where pixels come from.
    """
    candidates = _nearest(wholes, np.flatnonzero(has_whole & ~is_photo)).tolist()
    members: set[int] = set()
    left = iter(candidates)
    for portion in pictures.portions([(ids[m], ids[k]) for m, k, _ in candidates]):
        for pair in portion:
            member, leader, bits = next(left)
            if not {member, leader} & members and pictures.say_the_same(*pair):
                members.add(member)
                yield member, leader, bits


def _nearest(wholes: Words, rows: Ints) -> Ints:
    """Return int64[pairs, 3] of `Pair` among `rows`, by member and then leader."""
    found = near_wholes(frozen(wholes[rows], np.uint64), RETONED_BITS)
    found = found[np.lexsort((found[:, 1], found[:, 2], found[:, 0]))]
    starts = np.flatnonzero(np.diff(found[:, 0], prepend=-1))
    sizes = np.diff(np.append(starts, len(found)))
    found = found[np.arange(len(found)) - np.repeat(starts, sizes) < CANDIDATES]
    found = found[np.lexsort((found[:, 1], found[:, 0]))]
    return np.column_stack([rows[found[:, 0]], rows[found[:, 1]], found[:, 2]])
