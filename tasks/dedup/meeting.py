"""What texts meet by: small columns of all texts, read before anything large is.

Signatures and shingles are nine tenths of the keys; they are read later, of texts that share a
bucket with another one, and of no other text (`stored_texts`).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from sightline.errors import ContractError
from tasks.dedup.salts import SALT_COLUMNS, salts
from tasks.dedup.settle.columns import bands_of
from tasks.dedup.settle.kernels import Ints, Words, frozen
from tasks.dedup.settle.salted import salted
from tasks.text_keys.blocks import Bytes
from tasks.text_keys.compiled import compiled
from tasks.text_keys.hashing import BASE, PRIME, mix

MEETING_COLUMNS: Final = ("item_id", "exact_key", "bands", *SALT_COLUMNS)
"""Columns of `text_keys` that say which texts meet."""

_BASE: Final = np.uint64(BASE)
_PRIME: Final = np.uint64(PRIME)


@dataclass(frozen=True, slots=True, eq=False)
class MeetingTexts:
    """n texts by what they meet in.

    Fields:
        item_ids: large text[n], unique.
        exact: int64[n], equal where texts say the same.
        bands: uint64[n, bands], salted.
        has_bands: bool[n].
    """

    item_ids: pa.Array
    exact: npt.NDArray[np.int64]
    bands: npt.NDArray[np.uint64]
    has_bands: npt.NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.exact)

    @classmethod
    def of(cls, tables: Iterable[pa.Table], stands: Mapping[str, str]) -> "MeetingTexts":
        """Return the texts in `tables`; of an id that stands there twice, its first row.

        Args:
            tables: `MEETING_COLUMNS` of `text_keys`, made by one algorithm.
            stands: the image that stands for an image, where it is another one.

        Raises:
            ContractError: rows have different numbers of bands.
        """
        found = [_of_table(table, stands) for table in tables]
        width = max((texts.bands.shape[1] for texts in found), default=0)
        bands = [_widened(texts.bands, width) for texts in found]
        ids = pa.chunked_array([texts.item_ids for texts in found], pa.large_string())
        whole = cls(
            ids.combine_chunks(),
            np.concatenate([texts.exact for texts in found] or [np.empty(0, np.int64)]),
            np.concatenate(bands or [np.empty((0, width), np.uint64)]),
            np.concatenate([texts.has_bands for texts in found] or [np.empty(0, np.bool_)]),
        )
        return whole.take(_first_of_each(whole.item_ids))

    def take(self, rows: npt.NDArray[np.int64]) -> "MeetingTexts":
        """Return the texts in `rows`, in their order."""
        if np.array_equal(rows, np.arange(len(self))):
            return self
        return MeetingTexts(
            self.item_ids.take(pa.array(rows)),
            self.exact[rows],
            self.bands[rows],
            self.has_bands[rows],
        )

    def places(self, ids: pa.Array | pa.ChunkedArray) -> npt.NDArray[np.int64]:
        """Return where each id stands, or -1."""
        found = pc.index_in(ids.cast(pa.large_string()), value_set=self.item_ids)
        places: npt.NDArray[np.int64] = pc.fill_null(found, -1).to_numpy().astype(np.int64)
        return places

    def digests(self) -> npt.NDArray[np.uint64]:
        """Return uint64[n]: a hash of the id and of all that decides how a text compares."""
        ids = pa.concat_arrays([self.item_ids, self.item_ids[:0]])  # without an offset
        _, offsets, data = ids.buffers()
        found: npt.NDArray[np.uint64] = _digests(
            frozen(np.frombuffer(offsets or b"", np.int64)[: len(ids) + 1], np.int64),
            frozen(np.frombuffer(data or b"", np.uint8), np.uint8),
            frozen(self.exact.view(np.uint64), np.uint64),
            frozen(self.bands, np.uint64),
            frozen(self.has_bands, np.bool_),
        )
        return found


def _of_table(table: pa.Table, stands: Mapping[str, str]) -> MeetingTexts:
    bands, has_bands = bands_of(table["bands"])
    return MeetingTexts(
        table["item_id"].cast(pa.large_string()).combine_chunks(),
        table["exact_key"].to_numpy(),
        salted(bands, salts(table, stands)),
        has_bands,
    )


def _widened(bands: npt.NDArray[np.uint64], width: int) -> npt.NDArray[np.uint64]:
    """Return `bands`, or zeros for rows none of which has a word.

    Raises:
        ContractError: the bands are of another width.
    """
    if bands.shape[1] == width:
        return bands
    if bands.shape[1]:
        msg = (
            f"expected bands of one length, found {bands.shape[1]} and {width}; key the parts anew"
        )
        raise ContractError(msg)
    return np.zeros((len(bands), width), np.uint64)


def _first_of_each(ids: pa.Array) -> npt.NDArray[np.int64]:
    rows = np.arange(len(ids))
    if pc.count_distinct(ids).as_py() == len(ids):
        return rows
    groups = pa.table({"id": ids, "row": rows}).group_by("id").aggregate([("row", "min")])
    return np.sort(groups["row_min"].to_numpy())


@compiled
def _digests(
    offsets: Ints, ids: Bytes, exact: Words, bands: Words, has_bands: npt.NDArray[np.bool_]
) -> Words:
    found = np.empty(len(exact), np.uint64)
    for row in range(len(exact)):
        state = _BASE
        for place in range(offsets[row], offsets[row + 1]):
            state = (state ^ np.uint64(ids[place])) * _PRIME
        state = mix(mix(state) ^ exact[row])
        if has_bands[row]:
            for band in range(bands.shape[1]):
                state = mix(state * _BASE + bands[row, band])
        found[row] = state
    return found
