"""Rows of the lake as the payload that steps work on."""

from collections.abc import Iterable, Mapping
from typing import Any

import pyarrow as pa

from sightline.schemas import Contract


def payload(contract: Contract, rows: Iterable[Mapping[str, Any]]) -> pa.Table:
    """Return payload rows of a contract; rows that were read from a lake carry more columns."""
    names = contract.payload.names
    return contract.rows({name: row.get(name) for name in names} for row in rows)
