"""Whole lakes as comparable values, and what holds of every consistent lake."""

from collections.abc import Set as AbstractSet
from typing import Any

import pyarrow as pa

from infra.catalog.catalog import Catalog
from infra.lake.lake import Lake
from sightline.schemas import CONTRACTS, LEDGER

OF_THE_CLOCK = frozenset(
    {
        "endpoint",
        "finished_at",
        "flow_run_id",
        "git_tree",
        "latency_ms",
        "received_at",
        "started_at",
    }
)
"""Columns that say when and where, not what."""

OF_THE_SEGMENT = frozenset({"part", "run_id", "fingerprint"})
"""A part of the ledger is a spool segment, so which calls share one depends on the clock."""

Rows = list[tuple[tuple[str, Any], ...]]


def content(lake: Lake, without: AbstractSet[str] = frozenset()) -> dict[str, Rows]:
    """Return every table's rows in the order of their keys, without the columns of the clock."""
    return {name: table_rows(lake, name, without) for name in CONTRACTS}


def table_rows(lake: Lake, name: str, without: AbstractSet[str] = frozenset()) -> Rows:
    """Return one table's rows as `content` does, leaving out the columns `without` too."""
    contract = CONTRACTS[name]
    left_out = OF_THE_CLOCK | without | (OF_THE_SEGMENT if contract is LEDGER else frozenset())
    columns = [column for column in contract.schema.names if column not in left_out]
    rows = lake.read(contract, columns=columns).to_pylist()
    rows.sort(key=lambda row: tuple(str(row[key]) for key in contract.key))
    return [tuple(row.items()) for row in rows]


def ask(lake: Lake, sql: str) -> list[dict[str, Any]]:
    """Return the rows of one SELECT."""
    with Catalog(lake) as opened:
        table: pa.Table = opened.query(sql)
    return table.to_pylist()


def count(lake: Lake, sql: str) -> int:
    """Return the one number that `sql` selects."""
    (row,) = ask(lake, sql)
    (value,) = row.values()
    return int(value)


def broken_checks(lake: Lake) -> dict[str, int]:
    """Return the checks that find rows, with how many."""
    with Catalog(lake) as opened:
        return {check.name: check.rows for check in opened.checks() if not check.passed}
