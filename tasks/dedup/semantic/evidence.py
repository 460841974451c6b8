"""What stands beside a cosine: whether two texts agree in what embeddings are blind to."""

from collections.abc import Mapping
from typing import Any

import pyarrow as pa

from sightline.schemas import DUPLICATES

SAME = "same numbers, units and negations"
OTHER = "OTHER numbers, units or negations"


def with_guards(found: pa.Table, guards: Mapping[str, int]) -> pa.Table:
    """Return `duplicates` rows whose evidence says whether the protected tokens agree.

    Args:
        found: rows of `semantic_report` about texts.
        guards: `text_keys.guard_key` by item, of those that have one.
    """
    return DUPLICATES.rows(_explained(row, guards) for row in found.to_pylist())


def _explained(row: dict[str, Any], guards: Mapping[str, int]) -> dict[str, Any]:
    item, kept = row["item_id"], row["kept_id"]
    if item == kept or item not in guards or kept not in guards:
        return row
    verdict = SAME if guards[item] == guards[kept] else OTHER
    return row | {"evidence": f"{row['evidence']}; {verdict}"}
