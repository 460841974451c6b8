"""Which pictures of a benchmark are parts or mirror pictures of ours, or the other way round.

Hashes of views name candidates; a candidate counts after one picture was laid over the other by
features (photos), or agrees place by place (charts and documents), as `tasks.image_keys.align`
decides.  What a hash of the whole finds already is not looked at again.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import pyarrow as pa

from infra.images.decode import ImageProblem, decode
from infra.images.pixels import thumbnail
from tasks.decontaminate.gallery import COPY_SIDE, RGB, Flags, Gallery, Words
from tasks.decontaminate.view_lookup import Near, ViewLookup
from tasks.image_keys.align import Overlap, overlap
from tasks.image_keys.hashes import MIN_VIEW_ONES
from tasks.image_keys.views import VIEW_NAMES, VIEWS, turned

VIEW_BITS: Final = 10
"""Of 64.  Random crops of 80 to 90 % lie within it of their nearest view for all of 83 photos and
.99 of 97 charts and documents (.98 within 8), at .17 candidates per chart that is not there."""

ReadBytes = Callable[[Collection[str]], Iterator[tuple[str, bytes]]]
"""Yields image id and stored bytes of the images asked for, in any order."""


@dataclass(frozen=True, slots=True)
class ViewMatch:
    """One of our pictures and one item of the benchmark.

    Attributes:
        item: number of the item.
        is_flip: mirrored or turned; else cut.
        score: share of equal pHash bits where the two overlap.
        told: what was found, for people.
    """

    item: int
    is_flip: bool
    score: float
    told: str


@dataclass(frozen=True, slots=True, eq=False)
class OurViews:
    """Pictures of the lake by their views.

    Attributes:
        image_ids: (n,) keys of `images`.
        views: (n, views) uint64.
        is_photo: (n,) whether each is certainly a photo.
    """

    image_ids: Sequence[str]
    views: Words
    is_photo: Flags

    @classmethod
    def of(cls, keys: pa.Table) -> "OurViews":
        """Return what `image_keys` rows say; pictures without structure or views are left out."""
        listed = [
            row
            for row in keys.select(
                ["image_id", "view_hashes", "view_names", "is_photo"]
            ).to_pylist()
            if row["view_names"] == list(VIEW_NAMES)
        ]
        flat = np.array([row["view_hashes"] for row in listed], np.int64)
        views = flat.reshape(-1, len(VIEWS)).view(np.uint64)
        shows = np.bitwise_count(views[:, 0]) >= MIN_VIEW_ONES
        kept = [row for row, has in zip(listed, shows.tolist(), strict=True) if has]
        is_photo = np.array([bool(row["is_photo"]) for row in kept], np.bool_)
        return cls([row["image_id"] for row in kept], views[shows], is_photo)


class ViewIndex:
    """The pictures of a benchmark, ready to be laid over ours; safe to use from many threads."""

    def __init__(self, gallery: Gallery, items_of: Mapping[str, Sequence[int]]) -> None:
        """Index a gallery.

        Args:
            gallery: pictures of the benchmark.
            items_of: the items that show the picture with these pixels.
        """
        self._gallery, self._items_of = gallery, items_of
        self._lookup = ViewLookup(gallery.views, gallery.has_structure)
        self._looked: dict[tuple[str, int], Overlap | None] = {}

    def matches(
        self, ours: OurViews, read: ReadBytes, known: Mapping[str, Collection[int]]
    ) -> dict[str, list[ViewMatch]]:
        """Return the verified matches of every picture that has one, the nearest first.

        Args:
            ours: our pictures.
            read: asked for the bytes of pictures that have candidates.
            known: items that a picture matches as a whole.
        """
        near = self._lookup.near(ours.views, VIEW_BITS)
        of_image = self._candidates(ours, near, known)
        self._look(ours, near, of_image, read)
        found: dict[str, list[ViewMatch]] = {}
        for image, numbers in of_image.items():
            matched = [m for number in numbers for m in self._matched(image, near, number)]
            if matched:
                found[image] = matched
        return found

    def _candidates(
        self, ours: OurViews, near: Near, known: Mapping[str, Collection[int]]
    ) -> dict[str, list[int]]:
        """Return the numbers of candidates of each image."""
        of_image: dict[str, list[int]] = defaultdict(list)
        for number, (row, picture) in enumerate(
            zip(near.ours.tolist(), near.theirs.tolist(), strict=True)
        ):
            image = ours.image_ids[row]
            if not set(self._items(picture)) <= set(known.get(image, ())):
                of_image[image].append(number)
        return of_image

    def _look(
        self, ours: OurViews, near: Near, of_image: Mapping[str, list[int]], read: ReadBytes
    ) -> None:
        """Lay pictures over each other that were not before."""
        open_ones = {
            image: numbers
            for image, numbers in of_image.items()
            if any((image, int(near.theirs[n])) not in self._looked for n in numbers)
        }
        for image, data in read(open_ones.keys()) if open_ones else ():
            rgb = _small(data)
            for number in open_ones[image]:
                row, picture = int(near.ours[number]), int(near.theirs[number])
                both = bool(ours.is_photo[row] and self._gallery.is_photo[picture])
                found = None if rgb is None else self._laid(rgb, near, number, are_photos=both)
                self._looked[image, picture] = found

    def _laid(self, rgb: RGB, near: Near, number: int, *, are_photos: bool) -> Overlap | None:
        view = VIEWS[int(near.view[number])]
        other = self._gallery.rgb(int(near.theirs[number]))
        whole, part = (rgb, other) if near.is_ours[number] else (other, rgb)
        found = overlap(turned(whole, view.turn), part, view.box, are_photos=are_photos)
        return found if found is not None and found.is_same else None

    def _matched(self, image: str, near: Near, number: int) -> Iterator[ViewMatch]:
        picture = int(near.theirs[number])
        found = self._looked.get((image, picture))
        if found is None:
            return
        view = VIEWS[int(near.view[number])]
        way = "the benchmark shows" if near.is_ours[number] else "ours shows"
        other = "ours" if near.is_ours[number] else "the benchmark's"
        told = f"{way} {view.name} of {other}, {near.bits[number]} of 64 bits apart; {found}"
        for item in self._items(picture):
            yield ViewMatch(item, bool(view.turn), found.similarity, told)

    def _items(self, picture: int) -> Sequence[int]:
        return self._items_of.get(self._gallery.pixels[picture], ())


def _small(data: bytes) -> RGB | None:
    try:
        return thumbnail(decode(data).rgb, COPY_SIDE)
    except ImageProblem:
        return None
