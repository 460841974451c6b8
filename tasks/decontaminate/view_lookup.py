"""Which pictures of a benchmark may show a part or mirror picture of ours, or we one of theirs.

A picture's 64-bit hash is compared with the hashes of the other side's views, both ways round,
where one of four chunks of 16 bits agrees but for one bit: that finds all pairs up to 7 bits apart
and nearly all at 8.  What is found proves nothing, so only the nearest `CANDIDATES` are kept.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from tasks.text_keys.compiled import compiled

Words = npt.NDArray[np.uint64]
Ints = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

CANDIDATES: Final = 6
"""Nearest pictures of the benchmark that one of ours is laid over."""
_CHUNKS: Final = 4
_CHUNK_VALUES: Final = 1 << 16


@dataclass(frozen=True, slots=True, eq=False)
class ChunkIndex:
    """Hashes by the value of each of their chunks.

    Fields:
        hashes: uint64[k].
        entries: int64[4, k], places in `hashes`, sorted by the chunk's value.
        starts: int64[4, 65537], where each value begins in `entries`.
    """

    hashes: Words
    entries: Ints
    starts: Ints

    @classmethod
    def of(cls, hashes: Words) -> "ChunkIndex":
        """Return the index of `hashes`."""
        shifts = [np.uint64(16 * chunk) for chunk in range(_CHUNKS)]
        keys = [((hashes >> s) & np.uint64(_CHUNK_VALUES - 1)).astype(np.int64) for s in shifts]
        entries = [np.argsort(k, kind="stable") for k in keys]
        values = np.arange(_CHUNK_VALUES + 1)
        starts = [np.searchsorted(k[e], values) for k, e in zip(keys, entries, strict=True)]
        return cls(np.ascontiguousarray(hashes), np.stack(entries), np.stack(starts))


@dataclass(frozen=True, slots=True, eq=False)
class Near:
    """Candidates, ordered by `ours`, then bits, then `theirs`.

    Fields:
        ours: int64[c], number of our picture.
        theirs: int64[c], number of the benchmark's.
        view: int64[c], number of the view that is near.
        is_ours: bool[c], whether it is a view of ours that looks like the whole of theirs.
        bits: int64[c], bits of 64 by which they differ.
    """

    ours: Ints
    theirs: Ints
    view: Ints
    is_ours: Flags
    bits: Ints


class ViewLookup:
    """The views of a benchmark's pictures, ready to be asked."""

    def __init__(self, views: Words, has_structure: Flags) -> None:
        """Index the pictures that have structure.

        Args:
            views: uint64[m, views]; the first is the whole picture.
            has_structure: bool[m].
        """
        self._rows = np.flatnonzero(has_structure)
        kept = views[self._rows]
        self._n_views = views.shape[1]
        self._views = ChunkIndex.of(kept.reshape(-1))
        self._wholes = ChunkIndex.of(kept[:, 0])

    def near(self, ours: Words, max_bits: int) -> Near:
        """Return the candidates of each of our pictures.

        Args:
            ours: uint64[n, views].
            max_bits: most bits of 64.
        """
        found = np.full((len(ours), CANDIDATES, 4), -1, dtype=np.int64)
        about = np.array([max_bits, self._n_views])
        views, wholes = self._views, self._wholes
        _nearest(
            np.ascontiguousarray(ours),
            (views.hashes, views.entries, views.starts),
            (wholes.hashes, wholes.entries, wholes.starts),
            about,
            found,
        )
        row, place = np.nonzero(found[:, :, 0] >= 0)
        picture, bits, view, is_ours = found[row, place].T
        order = np.lexsort((picture, bits, row))
        theirs = self._rows[picture[order]]
        return Near(row[order], theirs, view[order], is_ours[order] > 0, bits[order])


@compiled
def _nearest(
    ours: Words,
    views: tuple[Words, Ints, Ints],
    wholes: tuple[Words, Ints, Ints],
    about: Ints,
    found: Ints,
) -> None:
    """Fill `found` int64[n, CANDIDATES, 4]: picture, bits, view, whether the view is ours."""
    for row in range(len(ours)):
        _probe(ours[row, 0], views, (about[0], about[1], 0, 0), found[row])
        for view in range(1, ours.shape[1]):
            _probe(ours[row, view], wholes, (about[0], 1, view, 1), found[row])


@compiled
def _probe(
    query: np.uint64,
    index: tuple[Words, Ints, Ints],
    about: tuple[int, int, int, int],
    found: Ints,
) -> None:
    """Keep what is near `query`; `about`: most bits, hashes per picture, view, whether ours."""
    hashes, entries, starts = index
    for chunk in range(4):
        key = np.int64((query >> np.uint64(16 * chunk)) & np.uint64(0xFFFF))
        for flip in range(17):
            probe = key if flip == 16 else key ^ (1 << flip)  # noqa: PLR2004 - bits of a chunk
            for place in range(starts[chunk, probe], starts[chunk, probe + 1]):
                entry = entries[chunk, place]
                bits = _ones(query ^ hashes[entry])
                if bits <= about[0]:
                    view = about[2] + entry % about[1]
                    _keep(entry // about[1], bits, view, about[3], found)


@compiled
def _keep(picture: int, bits: np.int64, view: int, is_ours: int, found: Ints) -> None:
    """Put a candidate in its place by (bits, picture), each picture once."""
    last = len(found) - 1
    for place in range(len(found)):
        if found[place, 0] == picture:
            if found[place, 1] <= bits:
                return
            last = place
            break
        if found[place, 0] < 0:
            last = place
            break
    is_new = found[last, 0] != picture
    if is_new and found[last, 0] >= 0 and not _before(bits, picture, found[last]):
        return
    while last > 0 and _before(bits, picture, found[last - 1]):
        found[last] = found[last - 1]
        last -= 1
    found[last, 0], found[last, 1], found[last, 2], found[last, 3] = picture, bits, view, is_ours


@compiled
def _before(bits: np.int64, picture: int, other: Ints) -> bool:
    return bool(bits < other[1] or (bits == other[1] and picture < other[0]))


@compiled
def _ones(word: np.uint64) -> np.int64:
    """Return how many bits are set."""
    x = word - ((word >> np.uint64(1)) & np.uint64(0x5555555555555555))
    x = (x & np.uint64(0x3333333333333333)) + ((x >> np.uint64(2)) & np.uint64(0x3333333333333333))
    x = (x + (x >> np.uint64(4))) & np.uint64(0x0F0F0F0F0F0F0F0F)
    return np.int64((x * np.uint64(0x0101010101010101)) >> np.uint64(56))
