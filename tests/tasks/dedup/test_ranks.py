"""Priorities of chains: numbers in the order of the view, each from its own chain alone."""

import math
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.dedup.ranks import CLAIMS, ranked_chains
from tasks.dedup.settle.order import priority_order

SCHEMA = pa.schema(
    [
        ("chain_id", pa.string()),
        *((claim, pa.bool_()) for claim in CLAIMS),
        ("judge_score", pa.float64()),
    ]
)
BEST_FIRST = """
select chain_id from ranks order by
    released desc, accepted desc, answer_right desc, roi_valid desc,
    judge_score desc nulls last, chain_id asc
"""
scores = st.none() | st.sampled_from(
    [0.0, -0.0, 1.0, -1.0, 0.1, 0.3, 0.31, 1e-300, 1e300, -1e300, math.inf, -math.inf]
)
facts = st.lists(st.tuples(*[st.booleans()] * len(CLAIMS), scores), max_size=20)


def table_of(rows: list[Any]) -> pa.Table:
    listed = [(f"c{n * 7 % 20:02d}", *row) for n, row in enumerate(rows)]
    columns = list(zip(*listed, strict=True)) or [[]] * len(SCHEMA)
    return pa.table([list(c) for c in columns], schema=SCHEMA)


@settings(deadline=None)
@given(facts)
def test_priorities_order_chains_as_the_view_does(rows: list[Any]):
    ranks = table_of(rows)
    ids, priority = ranked_chains(lambda _: ranks)
    found = ids.take(pa.array(priority_order(priority, ids))).to_pylist()
    with duckdb.connect() as con:
        con.register("ranks", ranks)
        assert found == [chain for (chain,) in con.execute(BEST_FIRST).fetchall()]


@given(facts, st.integers(0, 20))
def test_priority_does_not_depend_on_other_chains(rows: list[Any], first: int):
    _, priority = ranked_chains(lambda _: table_of(rows))
    _, some = ranked_chains(lambda _: table_of(rows[:first]))
    assert np.array_equal(priority[:first], some)
