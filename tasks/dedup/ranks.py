"""Which of several duplicates is the one to keep: released ones first, then the best by verdict.

What was released stays, so that a second release never swaps a row for its twin.  The queries run
on the views, which alone say what an accepted chain is.
"""

from collections.abc import Callable
from typing import Final

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
RANKED_CHAINS: Final = "select chain_id from chain_ranks order by rank_no"


def released_samples(query: Query) -> frozenset[str]:
    """Return the samples of parts that a release was made from."""
    return frozenset(query(RELEASED_SAMPLES)["sample_id"].to_pylist())


def in_order_of_rank(keys: pa.Table, query: Query) -> pa.Table:
    """Return the rows of chains that have a rank, the first to keep first.

    Args:
        keys: rows of `text_keys`, of one chain each.
        query: on the lake that holds the chains.
    """
    chains = query(RANKED_CHAINS)["chain_id"].to_pylist()
    place = {chain: row for row, chain in enumerate(keys["item_id"].to_pylist())}
    return keys.take(pa.array([place[c] for c in chains if c in place], pa.int64()))
