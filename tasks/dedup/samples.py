"""Questions that are worded alike, among samples that the tier of the same statement has left.

A sample that tier drops is not compared.  One that it drops others for is compared, and reported
where it would be dropped: both follow from the samples as they are now, not from what an earlier
run decided.
"""

from collections.abc import Set as AbstractSet

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from tasks.dedup.meeting import MeetingTexts
from tasks.dedup.near import Compared, NearRule, near_duplicates, settled_texts
from tasks.dedup.settle.memory import Memory


def alike_samples(
    texts: MeetingTexts,
    same: pa.Table,
    released: AbstractSet[str],
    how: tuple[Compared, NearRule, Memory],
) -> pa.Table:
    """Return `duplicates` payload rows of questions that are worded alike.

    Args:
        texts: questions of all samples.
        same: `duplicates` rows of samples that state the same.
        released: samples to keep before others.
        how: what questions are compared by, the rule, and the memory of the last settlement.
    """
    compared, rule, memory = how
    needed = frozenset(same["kept_id"].to_pylist())
    dropped = frozenset(same["item_id"].to_pylist()) - needed
    gone = pa.array(sorted(dropped), pa.large_string())
    left = texts.take(np.flatnonzero(~_is_in(texts.item_ids, gone)))
    first = pa.array(sorted(released), pa.large_string())
    priority = np.where(_is_in(left.item_ids, first), 0, 1).astype(np.int64)
    settled = settled_texts(left, priority, compared, rule, memory)
    return near_duplicates(settled, left, rule, needed)


def _is_in(ids: pa.Array, among: pa.Array) -> npt.NDArray[np.bool_]:
    found: npt.NDArray[np.bool_] = pc.is_in(ids, value_set=among).to_numpy(zero_copy_only=False)
    return found
