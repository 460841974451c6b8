"""Connected components of unverified collisions: how work is split, never who is dropped.

Items of different components share no bucket, so each component is settled on its own (`shards`).
"""

import heapq

import numpy as np
import numpy.typing as npt

from tasks.dedup.settle.buckets import Buckets
from tasks.dedup.settle.kernels import Ints, Numbers, frozen
from tasks.text_keys.compiled import compiled


def components(found: Buckets) -> npt.NDArray[np.int64]:
    """Return int64[n]: the first item of each item's component, itself if it is alone."""
    labels: npt.NDArray[np.int64] = _labels(frozen(found.numbers, np.int32), len(found.sizes))
    return labels


def shards(found: Buckets, count: int) -> list[npt.NDArray[np.int64]]:
    """Return at most `count` sets of whole components, of about equal size.

    Items alone in all bands need no decision and are in no shard.  The largest component goes
    first and each to the smallest shard, so that only a giant one can make shards unequal.

    Args:
        found: buckets of all items.
        count: 1 or more.

    Returns:
        Item numbers, ascending in each shard; no shard is empty.
    """
    items = np.flatnonzero(found.shares())
    labels, member_of, sizes = np.unique(
        components(found)[items], return_inverse=True, return_counts=True
    )
    shard_of = np.zeros(len(labels), np.int64)
    loads = [(0, shard) for shard in range(max(count, 1))]
    for component in np.argsort(-sizes, kind="stable").tolist():
        load, shard = loads[0]
        shard_of[component] = shard
        heapq.heapreplace(loads, (load + int(sizes[component]), shard))
    by_item = shard_of[member_of]
    found_shards = [items[by_item == shard] for shard in range(max(count, 1))]
    return [shard for shard in found_shards if len(shard)]


@compiled
def _labels(numbers: Numbers, n_buckets: int) -> Ints:
    """Return the smallest item connected with each; union-find whose roots are smallest."""
    parents = np.arange(numbers.shape[0])
    first = np.full(n_buckets, -1, np.int64)
    for item in range(numbers.shape[0]):
        for band in range(numbers.shape[1]):
            bucket = numbers[item, band]
            if bucket < 0:
                continue
            if first[bucket] < 0:
                first[bucket] = item
                continue
            one, other = _root(parents, item), _root(parents, first[bucket])
            parents[max(one, other)] = min(one, other)
    for item in range(len(parents)):
        parents[item] = parents[parents[item]]
    return parents


@compiled
def _root(parents: Ints, item: int) -> int:
    while parents[item] != item:
        parents[item] = parents[parents[item]]
        item = parents[item]
    return item
