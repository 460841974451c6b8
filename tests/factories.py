"""Valid rows and tables for any contract, derived from its schema, for tests of every author.

    rows_of(SAMPLES, 3)                               three payload rows with distinct keys
    rows_of(SAMPLES, 3, dataset="cub")                the same value in every row
    rows_of(SAMPLES, 3, answer=lambda i: f"a{i}")     a value per row
    payload_of(...), full_of(..., part="p")           the same as Arrow tables

Nullable columns are null unless given; other columns get a small value of their type.
"""

import hashlib
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa

from infra.lake.lake import Lake
from sightline.provenance import Commit, fingerprint_of
from sightline.schemas import Contract

EPOCH = datetime(2024, 1, 1, tzinfo=UTC)

CLOSED_SETS: Mapping[str, Any] = {
    "stage": "single",
    "role": "teacher",
    "outcome": "success",
    "format": "png",
    "exif_orientation": 1,
    "depth_status": "ok",
    "status": "ok",
    "kind": "text",
}
"""Values of columns that hold one of a few words, where any text would not be valid."""

STATUS_BY_TABLE = {"relations": "decided", "depth_maps": "ok"}
KIND_BY_TABLE = {"relations": "left_of", "depth_maps": "relative", "steps": "reasoning"}


def rows_of(contract: Contract, count: int, **overrides: Any) -> list[dict[str, Any]]:
    """Return `count` payload rows; an override is a value or a function of the row number."""
    unknown = sorted(set(overrides) - set(contract.payload.names))
    assert not unknown, f"{contract.name} has no payload columns {unknown}"
    return [_row(contract, number, overrides) for number in range(count)]


def payload_of(contract: Contract, count: int, **overrides: Any) -> pa.Table:
    return contract.rows(rows_of(contract, count, **overrides))


def full_of(
    contract: Contract,
    count: int,
    *,
    part: str = "p",
    run_id: str = "run",
    fingerprint: str | None = None,
    **overrides: Any,
) -> pa.Table:
    """Return payload rows with provenance, as the lake stores them."""
    return contract.with_provenance(
        payload_of(contract, count, **overrides),
        part=part,
        run_id=run_id,
        fingerprint=fingerprint or fingerprint_of(part),
    )


def commit(lake: Lake, contract: Contract, payload: pa.Table, part: str = "p") -> Commit:
    """Commit a payload table as one part; its content decides the fingerprint."""
    fingerprint = fingerprint_of(
        [part, hashlib.sha256(str(payload.to_pylist()).encode()).hexdigest()]
    )
    rows = contract.with_provenance(payload, part=part, run_id="run", fingerprint=fingerprint)
    with lake.stage(contract, part, fingerprint) as writer:
        writer.write(rows)
        staged = writer.finish()
    return lake.publish(contract, [staged])[0]


def _row(contract: Contract, number: int, overrides: Mapping[str, Any]) -> dict[str, Any]:
    row: dict[str, Any] = {}
    for column in contract.payload:
        if column.name in overrides:
            given = overrides[column.name]
            row[column.name] = given(number) if callable(given) else given
        elif not column.nullable:
            row[column.name] = _value(contract, column, number)
    return row


def _value(contract: Contract, column: "pa.Field[Any]", number: int) -> Any:
    if column.name == "status" and contract.name in STATUS_BY_TABLE:
        return STATUS_BY_TABLE[contract.name]
    if column.name == "kind" and contract.name in KIND_BY_TABLE:
        return KIND_BY_TABLE[contract.name]
    if column.name in CLOSED_SETS:
        return CLOSED_SETS[column.name]
    if column.name in {"box", "view_box", "crop_box"}:
        return [0.1, 0.2, 0.6, 0.8]
    return _by_type(column)(column.name, number)


def _by_type(column: "pa.Field[Any]") -> Callable[[str, int], Any]:
    makers: tuple[tuple[Callable[[pa.DataType], bool], Callable[[str, int], Any]], ...] = (
        (pa.types.is_string, lambda name, number: f"{name}-{number}"),
        (pa.types.is_integer, lambda _, number: number + 1),
        (pa.types.is_floating, lambda _, number: float(number)),
        (pa.types.is_boolean, lambda _, number: number % 2 == 0),
        (pa.types.is_binary, lambda name, number: f"{name}-{number}".encode()),
        (pa.types.is_timestamp, lambda _, number: EPOCH + timedelta(seconds=number)),
        (pa.types.is_list, lambda _, __: []),
    )
    return next(make for matches, make in makers if matches(column.type))
