"""Settling by several threads: each takes whole components, and the rows do not depend on how many.

Kernels hold no interpreter lock, and components share no item and no bucket, so threads write to
disjoint places of the same arrays.  `worker` does the same on other machines.
"""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import numpy.typing as npt

from tasks.dedup.settle.buckets import buckets
from tasks.dedup.settle.components import shards
from tasks.dedup.settle.resolve import LEADERS, Resolver, Settled, check_items
from tasks.dedup.settle.similarity import Similarity


def settle_shards(
    keys: tuple[npt.NDArray[np.uint64], npt.NDArray[np.bool_]],
    order: npt.NDArray[np.int64],
    similarity: Similarity,
    *,
    count: int,
    leaders: int = LEADERS,
) -> Settled:
    """Return what `settle` returns, decided by `count` threads.

    Args:
        keys: `bands` uint64[n, bands] and `has_bands` bool[n].
        order: int64[n], item numbers by falling priority, a permutation.
        similarity: over the same n items.
        count: shards and threads.
        leaders: kept members of a bucket that later members are compared with.

    Raises:
        ValueError: the arguments are not about the same items, or `order` is no permutation.
    """
    found = buckets(*keys)
    check_items(len(found.numbers), order, similarity)
    resolver = Resolver(found, similarity, leaders)
    shard_of = np.full(len(order), -1, np.int64)
    parts = shards(found, count)
    for number, items in enumerate(parts):
        shard_of[items] = number
    ordered = shard_of[order]
    with ThreadPoolExecutor(max(count, 1)) as threads:
        list(threads.map(resolver.resolve, [order[ordered == n] for n in range(len(parts))]))
    return resolver.settled
