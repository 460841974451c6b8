"""The texts of a lake: first what they meet by, then the evidence of those that do meet.

Both are read in batches of one part, so memory holds the small columns of all texts and the large
ones of texts that share a bucket.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from infra.lake.lake import Lake
from sightline.errors import LakeError
from sightline.schemas import TEXT_KEYS
from tasks.dedup.meeting import MEETING_COLUMNS, MeetingTexts
from tasks.dedup.settle.columns import COMPARED_COLUMNS, jaccard_of
from tasks.dedup.settle.similarity import Jaccard

BATCH_ROWS: Final = 20_000


class StoredTexts:
    """Keyed texts of some parts of a lake."""

    def __init__(self, lake: Lake, parts: Sequence[str]) -> None:
        self._lake = lake
        self._parts = parts
        self._names: list[str] = []
        self._ids: list[pa.Array] = []

    def meeting(self, stands: Mapping[str, str]) -> MeetingTexts:
        """Return what all texts meet by.

        Args:
            stands: the image that stands for an image, where it is another one.
        """
        return MeetingTexts.of(self._meeting_batches(), stands)

    def compared(self, ids: pa.Array, tau: float) -> Jaccard:
        """Return the similarity over texts that `meeting` returned, in the order of `ids`.

        Raises:
            LakeError: such a text is gone.
        """
        found = [TEXT_KEYS.empty().select(COMPARED_COLUMNS), *self._evidence(self._by_part(ids))]
        rows = pa.concat_tables(found)
        known = rows["item_id"].cast(pa.large_string()).combine_chunks()
        places = pc.index_in(ids, value_set=known)
        if places.null_count:
            msg = (
                f"expected keys of {len(ids)} texts, {places.null_count} are gone: another run "
                f"replaces parts of {TEXT_KEYS.name}; run again when it has ended"
            )
            raise LakeError(msg)
        similarity, order = jaccard_of(rows, tau), places.to_numpy().astype(np.int64)
        is_in_order = np.array_equal(order, np.arange(len(similarity)))
        return similarity if is_in_order else similarity.take(order)

    def _meeting_batches(self) -> Iterator[pa.Table]:
        self._names, self._ids = [], []
        for part, rows in self._batches(self._parts, MEETING_COLUMNS):
            self._names.append(part)
            self._ids.append(rows["item_id"].cast(pa.large_string()).combine_chunks())
            yield rows

    def _by_part(self, ids: pa.Array) -> dict[str, pa.Array]:
        """Return which of the ids each part holds; the first part that holds one counts."""
        every = pa.chunked_array(self._ids, pa.large_string()).combine_chunks()
        rows = pc.drop_null(pc.index_in(ids, value_set=every)).to_numpy()
        ends = np.cumsum([len(batch) for batch in self._ids])
        batches = np.searchsorted(ends, rows, side="right")
        of_part: dict[str, list[pa.Array]] = {}
        for batch in np.unique(batches).tolist():
            own = every.take(pa.array(rows[batches == batch])).cast(pa.string())
            of_part.setdefault(self._names[batch], []).append(own)
        return {part: pa.concat_arrays(own) for part, own in of_part.items()}

    def _evidence(self, of_part: Mapping[str, pa.Array]) -> Iterator[pa.Table]:
        """Yield `COMPARED_COLUMNS` of the texts, part by part."""
        for part, rows in self._batches(sorted(of_part), COMPARED_COLUMNS):
            yield rows.filter(pc.is_in(rows["item_id"], value_set=of_part[part]))

    def _batches(
        self, parts: Sequence[str], columns: Sequence[str]
    ) -> Iterator[tuple[str, pa.Table]]:
        """Yield batches, each of one part."""
        if not parts:
            return
        for rows in self._lake.scan(
            TEXT_KEYS, parts=parts, columns=[*columns, "part"], batch_rows=BATCH_ROWS
        ):
            yield rows["part"][0].as_py(), rows.drop_columns(["part"])
