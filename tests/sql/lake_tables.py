"""Tables of a lake as plain rows, loaded into DuckDB with the project's macros and views.

Rows may leave out columns a test does not care about: they get a plain value of their type.
"""

import hashlib
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from sightline.schemas import CONTRACTS

SQL = Path(__file__).resolve().parents[2] / "sql"
EPOCH = datetime(2024, 1, 1, tzinfo=UTC)

Rows = dict[str, list[dict[str, Any]]]

SPECIAL: dict[str, Any] = {
    "image_width": 100,
    "image_height": 100,
    "width": 100,
    "height": 100,
    "draw": 0,
    "role": "teacher",
    "stage": "single",
    "outcome": "success",
    "box": [0.0, 0.0, 1.0, 1.0],
    "depth_status": "ok",
    "status": "decided",
    "part": "p",
    "run_id": "run",
}


def plain_value(field: "pa.Field[Any]") -> Any:
    """Return a value for a column that a test leaves out: null wherever null is allowed."""
    if field.nullable:
        return None
    if field.name in SPECIAL:
        return SPECIAL[field.name]
    kinds: list[tuple[Any, Any]] = [
        (pa.types.is_string, "-"),
        (pa.types.is_integer, 1),
        (pa.types.is_floating, 0.0),
        (pa.types.is_boolean, False),
        (pa.types.is_binary, b""),
        (pa.types.is_timestamp, EPOCH),
        (pa.types.is_list, []),
    ]
    return next(value for matches, value in kinds if matches(field.type))


def table_of(name: str, rows: Iterable[Mapping[str, Any]]) -> pa.Table:
    """Return full rows of one contract; an unknown column is an error."""
    contract = CONTRACTS[name]
    filled = []
    for row in rows:
        unknown = set(row) - set(contract.schema.names)
        assert not unknown, f"{name} has no columns {sorted(unknown)}"
        filled.append({f.name: row.get(f.name, plain_value(f)) for f in contract.schema})
    return pa.Table.from_pylist(filled, schema=contract.schema)


def macro_files() -> list[Path]:
    return sorted((SQL / "macros").glob("*.sql"))


def connect(rows: Mapping[str, Iterable[Mapping[str, Any]]]) -> duckdb.DuckDBPyConnection:
    """Return an in-memory database with every table, macro and view."""
    con = duckdb.connect()
    for name in CONTRACTS:
        con.register("incoming", table_of(name, rows.get(name, [])))
        con.execute(f"create table {name} as select * from incoming")  # noqa: S608
        con.unregister("incoming")
    for path in macro_files():
        con.execute(path.read_text())
    create_views(con, sorted((SQL / "views").glob("*.sql")))
    return con


def create_views(con: duckdb.DuckDBPyConnection, paths: list[Path]) -> None:
    """Create views in the order they need each other: what fails for a missing view waits."""
    while paths:
        waiting = []
        for path in paths:
            try:
                con.execute(path.read_text())
            except duckdb.CatalogException:
                waiting.append(path)
        assert len(waiting) < len(paths), f"views need something that is missing: {waiting}"
        paths = waiting


def answer(con: duckdb.DuckDBPyConnection, sql: str) -> list[dict[str, Any]]:
    """Return the result as rows by column name."""
    found = con.execute(sql)
    names = [column[0] for column in found.description]
    return [dict(zip(names, values, strict=True)) for values in found.fetchall()]


def picture(seed: int) -> tuple[str, bytes]:
    """Return (image_id, bytes) of a stand-in that nobody decodes."""
    data = f"picture {seed}".encode()
    return hashlib.sha256(data).hexdigest(), data
