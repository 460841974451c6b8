"""Every duplicate among samples: the same statement first, then questions that are worded alike."""

from collections.abc import Set as AbstractSet

import pyarrow as pa
import pyarrow.compute as pc

from tasks.dedup.exact import Pictures, sample_duplicates
from tasks.dedup.near import NearRule, near_duplicates


def all_sample_duplicates(
    samples: pa.Table,
    keys: pa.Table,
    pictures: Pictures,
    rule: NearRule | None,
    leaders: int,
    released: AbstractSet[str],
) -> pa.Table:
    """Return `duplicates` payload rows of samples.

    Args:
        samples: `SAMPLE_COLUMNS`.
        keys: `READ_COLUMNS` of `text_keys` of these samples; not looked at without a rule.
        pictures: which images show the same.
        rule: how questions are compared; null if they are not.
        leaders: kept samples of a statement that a further one is compared with.
        released: samples to keep before others.
    """
    same = sample_duplicates(samples, pictures, leaders, released)
    if rule is None:
        return same
    needed = frozenset(same["kept_id"].to_pylist())
    dropped = frozenset(same["item_id"].to_pylist()) - needed
    left = keys.filter(pc.invert(pc.is_in(keys["item_id"], pa.array(sorted(dropped), pa.string()))))
    ids = left["item_id"].to_pylist()
    order = sorted(range(len(ids)), key=lambda row: (ids[row] not in released, ids[row]))
    near = near_duplicates(left.take(pa.array(order, pa.int64())), pictures.stands, rule, needed)
    return pa.concat_tables([same, near])
