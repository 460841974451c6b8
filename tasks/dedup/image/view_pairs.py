"""Crops and flips: candidates by view hashes, each laid over the other picture before it counts."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tasks.dedup.image.near_views import Candidates
from tasks.dedup.image.pictures import Pictures
from tasks.image_keys.align import Overlap, overlap
from tasks.image_keys.views import VIEWS, View, turned

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class ViewPair:
    """A row that shows a view of an earlier one, or the other way round.

    Fields:
        member: the later row.
        leader: the earlier row.
        view: what of the viewed picture the other one shows.
        bits: bits of 64 between that view and the other picture.
        overlap: how one lies in the other.
    """

    member: int
    leader: int
    view: View
    bits: int
    overlap: Overlap


def view_pairs(
    candidates: Candidates, ids: list[str], is_photo: npt.NDArray[np.bool_], pictures: Pictures
) -> Iterator[ViewPair]:
    """Yield one verified pair per row that has any: with its first leader that is no member itself.

    Args:
        candidates: ordered by member.
        ids: image id of each row.
        is_photo: bool[n].
        pictures: where pixels come from.
    """
    pairs = [(ids[m], ids[k]) for m, k in zip(candidates.member, candidates.leader, strict=True)]
    members: set[int] = set()
    place = 0
    for portion in pictures.portions(pairs):
        for _ in portion:
            found = _verified(candidates, place, ids, is_photo, pictures, members)
            place += 1
            if found is not None:
                members.add(found.member)
                yield found


def _verified(
    candidates: Candidates,
    place: int,
    ids: list[str],
    is_photo: npt.NDArray[np.bool_],
    pictures: Pictures,
    members: set[int],
) -> ViewPair | None:
    member, leader = int(candidates.member[place]), int(candidates.leader[place])
    if member in members or leader in members:
        return None
    viewed = int(candidates.viewed[place])
    view = VIEWS[int(candidates.view[place])]
    whole = pictures.rgb(ids[viewed])
    part = pictures.rgb(ids[leader if viewed == member else member])
    if whole is None or part is None:
        return None
    both = bool(is_photo[member] and is_photo[leader])
    found = overlap(turned(whole, view.turn), part, view.box, are_photos=both)
    if found is None or not found.is_same:
        return None
    return ViewPair(member, leader, view, int(candidates.bits[place]), found)
