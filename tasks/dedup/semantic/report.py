"""Rows of `duplicates` for items that embeddings call alike: evidence for a person, never a drop.

SemDeDup (arXiv:2303.09540): cluster, then compare all pairs within a cluster.  Here an item is
reported beside the first *unreported* item before it (priority, then id) whose exact cosine reaches
the threshold, as in every other tier.  Embeddings cannot tell two math questions with other
numbers apart (62 % of such pairs score >= 0.95), so `decision` is always `report`.
The outcome depends on items, embeddings and parameters alone: rows are sorted by priority and id
before anything is computed, and a pair that a matrix product brings up is decided in float64.
"""

from collections.abc import Iterator, Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from sightline.ids import content_id
from sightline.schemas import DUPLICATES
from tasks.dedup.semantic.clusters import Labels, Vectors, cluster_labels, members, normalised
from tasks.dedup.semantic.params import ALGORITHM, SemanticParams

COMPARED_ROWS: Final = 1024
"""Rows of a cluster that are compared with all before them at once: bounds the memory."""
SLACK: Final = 1e-4
"""How much lower a cosine of a float32 product may be; whatever reaches that is decided exactly."""
TOLERANCE: Final = 1e-6
"""Rounding of vectors stored as float32; equal texts have a cosine of 1."""


def semantic_report(
    item_ids: Sequence[str],
    embeddings: npt.NDArray[np.floating],
    params: SemanticParams,
    *,
    priority: Sequence[int] | None = None,
    groups: Sequence[int] | None = None,
) -> pa.Table:
    """Return `duplicates` payload rows: reported items, and the items they are alike.

    Args:
        item_ids: n distinct ids, in any order.
        embeddings: (n, d), of any length; a row of zeros is like nothing.
        params: thresholds, seeds and what the ids name.
        priority: n numbers, the smallest is kept first; null for ids alone.
        groups: n numbers; only items of one group are compared, all with each other. Null looks
            for pairs among all, within clusters.

    Raises:
        ValueError: shapes differ, an id is repeated, or a value is not finite.
    """
    _check(item_ids, embeddings, priority, groups)
    ranks = [0] * len(item_ids) if priority is None else priority
    order = sorted(range(len(item_ids)), key=lambda row: (ranks[row], item_ids[row]))
    vectors = normalised(np.asarray(embeddings)[order])
    ids = [item_ids[row] for row in order]
    labels = None if groups is None else np.asarray(groups, dtype=np.int64)[order]
    found = similar_rows(vectors, params, labels)
    leaders = {kept for kept, _ in found.values()}
    rows = [_row(ids[row], ids[kept], cosine, params) for row, (kept, cosine) in found.items()]
    rows += [_row(ids[kept], ids[kept], 1.0, params) for kept in leaders]
    return DUPLICATES.rows(sorted(rows, key=lambda row: (row["cluster_id"], row["item_id"])))


def similar_rows(
    vectors: Vectors, params: SemanticParams, groups: Labels | None = None
) -> dict[int, tuple[int, float]]:
    """Return for every reported row the row before it that it is like, and their cosine.

    Args:
        vectors: (n, d) of length 1 or 0, by priority.
        params: thresholds and seeds.
        groups: of the rows, where only those of one group are compared.
    """
    if not len(vectors):
        return {}
    labels = _clusters(vectors, params) if groups is None else groups
    found: dict[int, tuple[int, float]] = {}
    for rows in members(labels):
        for row, kept, cosine in _within(vectors[rows], params.threshold):
            found[int(rows[row])] = (int(rows[kept]), cosine)
    return found


def _clusters(vectors: Vectors, params: SemanticParams) -> Labels:
    clusters = params.clusters_of(len(vectors))
    return cluster_labels(vectors, clusters, iterations=params.iterations, seed=params.seed)


def _within(vectors: Vectors, threshold: float) -> Iterator[tuple[int, int, float]]:
    """Yield (row, unreported row before it, cosine) of one cluster, in order."""
    is_kept = np.ones(len(vectors), dtype=bool)
    for start in range(0, len(vectors), COMPARED_ROWS):
        block = vectors[start : start + COMPARED_ROWS]
        cosines = block @ vectors[: start + len(block)].T
        for row in _candidates(cosines, start, threshold - SLACK):
            before = start + row
            maybe = np.flatnonzero((cosines[row, :before] >= threshold - SLACK) & is_kept[:before])
            exact = _cosines(vectors[before], vectors[maybe])
            alike = np.flatnonzero(exact >= threshold - TOLERANCE)
            if len(alike):
                is_kept[before] = False
                yield before, int(maybe[alike[0]]), min(1.0, float(exact[alike[0]]))


def _cosines(vector: Vectors, others: Vectors) -> npt.NDArray[np.float64]:
    """Return cosines that depend on their two vectors alone, whatever else is compared at once."""
    wide = vector.astype(np.float64)
    found: npt.NDArray[np.float64] = (others.astype(np.float64) * wide).sum(axis=1)
    return found.round(12)


def _candidates(cosines: Vectors, start: int, threshold: float) -> Labels:
    """Return the rows of a block that reach the threshold with any row before them."""
    earlier = np.tri(cosines.shape[0], cosines.shape[1], start - 1, dtype=bool)
    return np.flatnonzero(((cosines >= threshold) & earlier).any(axis=1))


def _row(item_id: str, kept_id: str, cosine: float, params: SemanticParams) -> dict[str, Any]:
    return {
        "item_id": item_id,
        "item_kind": params.kind.value,
        "method": params.kind.method,
        "cluster_id": content_id("cluster", params.kind.method, kept_id),
        "kept_id": kept_id,
        "similarity": max(0.0, cosine),
        "evidence": f"cosine {cosine:.4f}",
        "decision": "report",
        "algorithm": ALGORITHM,
    }


def _check(
    item_ids: Sequence[str],
    embeddings: npt.NDArray[np.floating],
    priority: Sequence[int] | None,
    groups: Sequence[int] | None,
) -> None:
    is_matrix = embeddings.ndim == 2  # noqa: PLR2004 - rows and dimensions
    if not is_matrix or len(embeddings) != len(item_ids):
        msg = f"expected ({len(item_ids)}, d) embeddings, found shape {embeddings.shape}"
        raise ValueError(msg)
    for what, numbers in (("priorities", priority), ("groups", groups)):
        if numbers is not None and len(numbers) != len(item_ids):
            msg = f"expected {len(item_ids)} {what}, found {len(numbers)}"
            raise ValueError(msg)
    if len(set(item_ids)) != len(item_ids):
        msg = "expected distinct item ids, found a repeated one"
        raise ValueError(msg)
