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

from tasks.dedup.image.kernels import Words
from tasks.dedup.image.near_views import Candidates, view_candidates
from tasks.dedup.image.pictures import Pictures

RETONED_BITS: Final = 12
"""Of 64: 8 of 12 charts brightened by 1.2 that pHash-256 loses lie within, and 4 of 10,440 pairs
of real charts and documents."""

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
    candidates = view_candidates(wholes, has_whole & ~is_photo, wholes[:, None], RETONED_BITS)
    members: set[int] = set()
    place = 0
    for portion in pictures.portions(_named(candidates, ids)):
        for pair in portion:
            member, leader = int(candidates.member[place]), int(candidates.leader[place])
            bits = int(candidates.bits[place])
            place += 1
            if not {member, leader} & members and pictures.say_the_same(*pair):
                members.add(member)
                yield member, leader, bits


def _named(candidates: Candidates, ids: list[str]) -> list[tuple[str, str]]:
    return [(ids[m], ids[k]) for m, k in zip(candidates.member, candidates.leader, strict=True)]
