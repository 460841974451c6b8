"""Rows of `duplicates` for items that embeddings call alike: evidence for a person, never a drop.

SemDeDup (arXiv:2303.09540): cluster, then compare all pairs within a cluster.  Here an item is
reported beside the first *unreported* item before it (priority, then id) whose exact cosine reaches
the threshold, as in every other tier.  Embeddings cannot tell two math questions with other
numbers apart (62 % of such pairs score >= 0.95), so `decision` is always `report`.
The outcome depends on items, embeddings and parameters alone: rows are sorted by priority and id
before anything is computed.
"""

from collections.abc import Iterator, Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from sightline.ids import content_id
from sightline.schemas import DUPLICATES
from tasks.dedup.semantic.clusters import Labels, Vectors, cluster_labels, members, normalised
from tasks.dedup.semantic.params import ALGORITHM, METHOD, SemanticParams

COMPARED_ROWS: Final = 1024
"""Rows of a cluster that are compared with all before them at once: bounds the memory."""
TOLERANCE: Final = 1e-6
"""Rounding of a cosine in float32; equal texts have a cosine of 1."""


def semantic_report(
    item_ids: Sequence[str],
    embeddings: npt.NDArray[np.floating],
    params: SemanticParams,
    *,
    item_kind: str = "chain",
    priority: Sequence[int] | None = None,
) -> pa.Table:
    """Return `duplicates` payload rows: reported items, and the items they are alike.

    Args:
        item_ids: n distinct ids, in any order.
        embeddings: (n, d), of any length; a row of zeros is like nothing.
        params: thresholds and seeds.
        item_kind: what the ids name.
        priority: n numbers, the smallest is kept first; null for ids alone.

    Raises:
        ValueError: shapes differ, an id is repeated, or a value is not finite.
    """
    _check(item_ids, embeddings, priority)
    ranks = [0] * len(item_ids) if priority is None else priority
    order = sorted(range(len(item_ids)), key=lambda row: (ranks[row], item_ids[row]))
    vectors = normalised(np.asarray(embeddings)[order])
    ids = [item_ids[row] for row in order]
    found = similar_rows(vectors, params)
    leaders = {kept for kept, _ in found.values()}
    rows = [_row(ids[row], ids[kept], cosine, item_kind) for row, (kept, cosine) in found.items()]
    rows += [_row(ids[kept], ids[kept], 1.0, item_kind) for kept in leaders]
    return DUPLICATES.rows(sorted(rows, key=lambda row: (row["cluster_id"], row["item_id"])))


def similar_rows(vectors: Vectors, params: SemanticParams) -> dict[int, tuple[int, float]]:
    """Return for every reported row the row before it that it is like, and their cosine.

    Args:
        vectors: (n, d) of length 1 or 0, by priority.
        params: thresholds and seeds.
    """
    if not len(vectors):
        return {}
    labels = cluster_labels(
        vectors,
        params.clusters_of(len(vectors)),
        iterations=params.iterations,
        seed=params.seed,
    )
    found: dict[int, tuple[int, float]] = {}
    for rows in members(labels):
        for row, kept, cosine in _within(vectors[rows], params.threshold - TOLERANCE):
            found[int(rows[row])] = (int(rows[kept]), min(1.0, cosine))
    return found


def _within(vectors: Vectors, threshold: float) -> Iterator[tuple[int, int, float]]:
    """Yield (row, unreported row before it, cosine) of one cluster, in order."""
    is_kept = np.ones(len(vectors), dtype=bool)
    for start in range(0, len(vectors), COMPARED_ROWS):
        block = vectors[start : start + COMPARED_ROWS]
        cosines = block @ vectors[: start + len(block)].T
        for row in _candidates(cosines, start, threshold):
            before = start + row
            alike = np.flatnonzero((cosines[row, :before] >= threshold) & is_kept[:before])
            if len(alike):
                is_kept[before] = False
                yield before, int(alike[0]), float(cosines[row, alike[0]])


def _candidates(cosines: Vectors, start: int, threshold: float) -> Labels:
    """Return the rows of a block that reach the threshold with any row before them."""
    earlier = np.tri(cosines.shape[0], cosines.shape[1], start - 1, dtype=bool)
    return np.flatnonzero(((cosines >= threshold) & earlier).any(axis=1))


def _row(item_id: str, kept_id: str, cosine: float, item_kind: str) -> dict[str, Any]:
    return {
        "item_id": item_id,
        "item_kind": item_kind,
        "method": METHOD,
        "cluster_id": content_id("cluster", METHOD, kept_id),
        "kept_id": kept_id,
        "similarity": cosine,
        "evidence": f"cosine {cosine:.4f}",
        "decision": "report",
        "algorithm": ALGORITHM,
    }


def _check(
    item_ids: Sequence[str],
    embeddings: npt.NDArray[np.floating],
    priority: Sequence[int] | None,
) -> None:
    is_matrix = embeddings.ndim == 2  # noqa: PLR2004 - rows and dimensions
    if not is_matrix or len(embeddings) != len(item_ids):
        msg = f"expected ({len(item_ids)}, d) embeddings, found shape {embeddings.shape}"
        raise ValueError(msg)
    if priority is not None and len(priority) != len(item_ids):
        msg = f"expected {len(item_ids)} priorities, found {len(priority)}"
        raise ValueError(msg)
    if len(set(item_ids)) != len(item_ids):
        msg = "expected distinct item ids, found a repeated one"
        raise ValueError(msg)
