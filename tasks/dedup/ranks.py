"""Which of several duplicates is the one to keep: released ones first, then the best by verdict.

What was released stays, so that a second release never swaps a row for its twin.  The queries run
on the views, which alone say what an accepted chain is.
"""

from collections.abc import Callable
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

Query = Callable[[str], pa.Table]
"""Runs one SELECT: `Catalog.query`."""

RELEASED_SAMPLES: Final = """
select samples.sample_id
from samples
inner join released_parts
    on
        released_parts.table_name = 'samples'
        and samples.part = released_parts.part
"""
CLAIMS: Final = ("released", "accepted", "answer_right", "roi_valid")
"""What decides first, in this order; true goes first."""

RANKED_CHAINS: Final = """
select
    chain_id,
    released,
    accepted,
    answer_right,
    roi_valid,
    judge_score
from chain_ranks
"""


def released_samples(query: Query) -> frozenset[str]:
    """Return the samples of parts that a release was made from."""
    return frozenset(query(RELEASED_SAMPLES)["sample_id"].to_pylist())


def ranked_chains(query: Query) -> tuple[pa.Array, npt.NDArray[np.int64]]:
    """Return the chains that have a rank and the priority of each: int64[n], lower goes first.

    A priority depends on its chain alone, so those of others never move it; chains of one priority
    go by id.  The order is that of `rank_no`, but for scores that differ by less than 1e-14 of
    themselves, which are equal here.

    Args:
        query: on the lake that holds the chains.
    """
    found = query(RANKED_CHAINS)
    priority = _falling(found["judge_score"].to_numpy()) >> np.uint64(len(CLAIMS))
    for place, claim in enumerate(CLAIMS):
        is_false = ~found[claim].to_numpy()
        priority |= is_false.astype(np.uint64) << np.uint64(63 - place)
    signed = (priority ^ np.uint64(1 << 63)).view(np.int64)
    return found["chain_id"].cast(pa.large_string()).combine_chunks(), signed


def _falling(scores: npt.NDArray[np.float64]) -> npt.NDArray[np.uint64]:
    """Return numbers that are lower the higher the score is, highest for none.

    The bits of IEEE 754 numbers ascend with the number once those of negative ones are inverted.
    """
    bits = (scores + 0.0).view(np.int64)  # the sum makes one zero of two
    ascending = np.where(bits < 0, ~bits, bits ^ np.int64(-(1 << 63))).view(np.uint64)
    return np.where(np.isnan(scores), np.uint64(2**64 - 1), ~ascending)
