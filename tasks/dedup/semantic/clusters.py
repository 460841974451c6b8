"""Spherical k-means: clusters of directions, found from a seed and the rows alone.

Rows are unit vectors, a centre is the unit vector along the sum of its rows, and a row belongs to
the centre of largest cosine, the first of equals.  That is two matrix products a round, which is
why no library is asked: scipy's k-means does not keep centres on the sphere.  Centres are fitted
on a sample, all rows are then assigned.  Equal vectors are one row to it, so they always share a
cluster: a matrix product may round two equal rows differently.
"""

from collections.abc import Iterator
from typing import Final

import numpy as np
import numpy.typing as npt

Vectors = npt.NDArray[np.float32]
Labels = npt.NDArray[np.int64]

FIT_ROWS_PER_CLUSTER: Final = 256
"""Rows per cluster that centres are fitted on; more change them little."""
BLOCK_ROWS: Final = 8192


def normalised(vectors: npt.NDArray[np.floating]) -> Vectors:
    """Return rows of length 1; a row of length 0 stays, and is like nothing.

    Raises:
        ValueError: a value is not finite.
    """
    if not np.isfinite(vectors).all():
        msg = "expected finite embeddings, found NaN or infinity"
        raise ValueError(msg)
    unit = np.zeros(vectors.shape, dtype=np.float32)
    for start in range(0, len(vectors), BLOCK_ROWS):
        wide = vectors[start : start + BLOCK_ROWS].astype(np.float64)
        lengths = np.sqrt((wide * wide).sum(axis=1, keepdims=True))
        unit[start : start + BLOCK_ROWS] = np.divide(
            wide, lengths, out=np.zeros_like(wide), where=lengths > 0
        )
    return unit


def cluster_labels(vectors: Vectors, clusters: int, *, iterations: int, seed: int) -> Labels:
    """Return the cluster of every row.

    Args:
        vectors: (n, d) of length 1, in an order that does not depend on storage.
        clusters: how many, 1..n.
        iterations: rounds at most; it ends when no row moves.
        seed: of the rows the centres begin at.
    """
    if clusters == 1:
        return np.zeros(len(vectors), dtype=np.int64)
    firsts, copies = _distinct(vectors)
    found = _distinct_labels(vectors[firsts], min(clusters, len(firsts)), iterations, seed)
    return found[copies]


def members(labels: Labels) -> Iterator[Labels]:
    """Yield the rows of every cluster that has two or more, in ascending order."""
    order = np.argsort(labels, kind="stable")
    bounds = np.flatnonzero(np.diff(labels[order])) + 1
    yield from (rows for rows in np.split(order, bounds) if len(rows) > 1)


def _distinct(vectors: Vectors) -> tuple[Labels, Labels]:
    """Return one row of every group of equal rows, and for each row its group."""
    as_bytes = np.ascontiguousarray(vectors).view(f"V{vectors.shape[1] * vectors.itemsize}").ravel()
    _, firsts, copies = np.unique(as_bytes, return_index=True, return_inverse=True)
    return firsts, copies


def _distinct_labels(vectors: Vectors, clusters: int, iterations: int, seed: int) -> Labels:
    rng = np.random.default_rng(seed)
    size = min(len(vectors), FIT_ROWS_PER_CLUSTER * clusters)
    sample = vectors[np.sort(rng.choice(len(vectors), size, replace=False))]
    centres = sample[np.sort(rng.choice(size, clusters, replace=False))]
    labels = np.full(size, -1, dtype=np.int64)
    for _ in range(iterations):
        moved = _nearest(sample, centres)
        if np.array_equal(moved, labels):
            break
        labels = moved
        centres = _centres(sample, labels, centres)
    return _nearest(vectors, centres)


def _nearest(vectors: Vectors, centres: Vectors) -> Labels:
    blocks = (vectors[i : i + BLOCK_ROWS] for i in range(0, len(vectors), BLOCK_ROWS))
    return np.concatenate([np.argmax(block @ centres.T, axis=1) for block in blocks])


def _centres(vectors: Vectors, labels: Labels, previous: Vectors) -> Vectors:
    """Return the centres of the clusters; one that lost its rows stays where it was."""
    sums = np.zeros(previous.shape, dtype=np.float64)
    order = np.argsort(labels, kind="stable")
    starts = np.searchsorted(labels[order], np.arange(len(previous)))
    filled = np.flatnonzero(np.bincount(labels, minlength=len(previous)))
    sums[filled] = np.add.reduceat(vectors[order], starts[filled], axis=0, dtype=np.float64)
    lost = np.linalg.norm(sums, axis=1) == 0
    sums[lost] = previous[lost]
    return normalised(sums)
