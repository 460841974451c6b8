"""`open_lake(uri)`: a DuckDB connection with every table, macro and view of a lake.

    import sightline.reader
    lake = sightline.reader.open_lake("./lake")
    lake.sql("select kind, count(*) from relations group by kind").show()

Tables are views over the explicit files of pinned snapshots: what is committed later does not
show, what is half-written never does.  Snapshots are taken from the end of the data flow to its
start, so a row is never seen without the rows it refers to.  Ask each query on its own
`connection.cursor()` when results are left unread or threads are involved: in DuckDB 2 an
unfinished result blocks its connection.

In a bucket, the httpfs extension reads if it is there or can be installed, else
`sightline.arrow_files`; queries are the same.  Without `storage` the standard AWS chain applies
(`AWS_ACCESS_KEY_ID`, `AWS_ENDPOINT_URL`, profiles, roles), which only the latter understands.
"""

import atexit
import contextlib
from collections.abc import Iterable, Mapping, Sequence
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from tempfile import gettempdir
from weakref import WeakSet

import duckdb
import pyarrow as pa

from sightline.arrow_files import ArrowFiles, arrow_filesystem, is_s3, normalise_uri
from sightline.errors import LakeError
from sightline.schemas import CONTRACTS, Contract
from sightline.snapshot import Snapshot

DUCKDB_TYPES: Mapping[pa.DataType, str] = {
    pa.string(): "varchar",
    pa.int64(): "bigint",
    pa.float64(): "double",
    pa.float32(): "float",
    pa.bool_(): "boolean",
    pa.binary(): "blob",
    pa.timestamp("us", tz="UTC"): "timestamptz",
}

_READING_THROUGH_PYTHON: WeakSet[duckdb.DuckDBPyConnection] = WeakSet()
"""Connections whose threads read through `ArrowFiles`."""


@atexit.register
def _end_queries() -> None:
    """Stop threads that a query nobody read to its end left behind.

    One that asks for Python's lock when the interpreter is gone aborts the process.
    """
    for connection in list(_READING_THROUGH_PYTHON):
        with contextlib.suppress(duckdb.Error):
            connection.close()


def open_lake(
    uri: str | Path,
    *,
    storage: Mapping[str, str] | None = None,
    versions: Mapping[str, int] | None = None,
    offline: bool = False,
) -> duckdb.DuckDBPyConnection:
    """Return a connection to an in-memory database that reads the lake at `uri`.

    Args:
        uri: a local folder or `s3://bucket/prefix`; a lake nobody has written to has empty tables.
        storage: delta-rs's names, such as `aws_endpoint_url`, `aws_access_key_id`,
            `aws_secret_access_key`, `aws_region`, `aws_allow_http`.
        versions: Delta versions of tables to read instead of the newest, by table name.
        offline: never try to download the httpfs extension.

    Raises:
        LakeError: a table cannot be read, or a file of `sql/` does not run.
    """
    connection, _ = connect(pin(uri, storage, versions), uri, storage, offline=offline)
    return connection


def pin(
    uri: str | Path,
    storage: Mapping[str, str] | None = None,
    versions: Mapping[str, int] | None = None,
) -> list[Snapshot]:
    """Return one snapshot per table, taken against the direction in which data flows."""
    root, wanted = normalise_uri(uri), versions or {}
    unknown = sorted(set(wanted) - set(CONTRACTS))
    if unknown:
        msg = f"no tables are called {unknown}; there are {list(CONTRACTS)}"
        raise LakeError(msg)
    return [
        Snapshot.read(root, contract, storage, wanted.get(name))
        for name, contract in reversed(CONTRACTS.items())
    ]


def connect(
    snapshots: Iterable[Snapshot],
    uri: str | Path,
    storage: Mapping[str, str] | None = None,
    *,
    offline: bool = False,
) -> tuple[duckdb.DuckDBPyConnection, list[str]]:
    """Return a connection that reads `snapshots`, and the files it may read."""
    root = normalise_uri(uri)
    spill = str(Path(gettempdir()) / "sightline-duckdb")
    connection = duckdb.connect(config={"temp_directory": spill})
    if is_s3(root):
        _reach_bucket(connection, root, storage, offline=offline)
    readable = []
    for snapshot in snapshots:
        connection.execute(table_view(snapshot))
        readable += [f"{snapshot.uri}/{file.path}" for file in snapshot.files]
    run_scripts(connection, [*sql_files("macros"), *sql_files("views")])
    return connection, readable


def table_view(snapshot: Snapshot) -> str:
    """Return the statement that makes a snapshot readable under its table's name."""
    contract = snapshot.contract
    columns = ", ".join(_quoted(name) for name in contract.schema.names)
    source = _typed_nothing(contract)
    if snapshot.files and all(file.complete for file in snapshot.files):
        source = f"from {_parquet(snapshot, by_name=False)}"
    elif snapshot.files:  # columns that came later are null in older files
        source += f" union all by name from {_parquet(snapshot, by_name=True)}"
    return f"create or replace view {_quoted(contract.name)} as select {columns} from ({source})"  # noqa: S608 - names come from the contract


def duckdb_type(kind: pa.DataType) -> str:
    """Return DuckDB's name of a column type."""
    if pa.types.is_list(kind):
        return f"{duckdb_type(kind.value_type)}[]"
    return DUCKDB_TYPES[kind]


def sql_files(folder: str) -> list[Traversable]:
    """Return the `.sql` files of one folder of the packaged `sql/`, by name."""
    found = resources.files("sql").joinpath(folder)
    if not found.is_dir():
        return []
    return sorted((f for f in found.iterdir() if f.name.endswith(".sql")), key=lambda f: f.name)


def run_scripts(connection: duckdb.DuckDBPyConnection, files: Sequence[Traversable]) -> None:
    """Run files that may need each other, whatever the order of their names.

    Raises:
        LakeError: some still fail when no other can be run any more.
    """
    waiting = list(files)
    while waiting:
        errors = {file: _failure(connection, file) for file in waiting}
        left = [file for file, error in errors.items() if error]
        if len(left) == len(waiting):
            first = left[0]
            msg = f"{len(left)} SQL files do not run; first {first.name}: {errors[first]}"
            raise LakeError(msg)
        waiting = left


def _failure(connection: duckdb.DuckDBPyConnection, file: Traversable) -> str:
    try:
        connection.execute(file.read_text(encoding="utf-8"))
    except (duckdb.CatalogException, duckdb.BinderException) as exc:
        return str(exc)
    return ""


def _typed_nothing(contract: Contract) -> str:
    columns = ", ".join(
        f"null::{duckdb_type(column.type)} as {_quoted(column.name)}" for column in contract.schema
    )
    return f"select {columns} where false"


def _parquet(snapshot: Snapshot, *, by_name: bool) -> str:
    paths = ", ".join(_literal(f"{snapshot.uri}/{file.path}") for file in snapshot.files)
    return (
        f"read_parquet([{paths}], union_by_name = {str(by_name).lower()}, "
        "hive_partitioning = true, hive_types = {'part': varchar})"
    )


def _reach_bucket(
    connection: duckdb.DuckDBPyConnection,
    uri: str,
    storage: Mapping[str, str] | None,
    *,
    offline: bool,
) -> None:
    options = {name.lower(): value for name, value in (storage or {}).items()}
    if "aws_access_key_id" in options and _load_httpfs(connection, offline=offline):
        connection.execute(_secret(options))
        return
    connection.execute("set autoinstall_known_extensions = false")
    connection.execute("set autoload_known_extensions = false")
    connection.register_filesystem(ArrowFiles(arrow_filesystem(uri, storage)[0]))
    _READING_THROUGH_PYTHON.add(connection)


def has_httpfs() -> bool:
    """Return whether DuckDB's own S3 reader is on this machine; pyarrow reads where it is not."""
    with duckdb.connect() as connection:
        return _load_httpfs(connection, offline=True)


def _load_httpfs(connection: duckdb.DuckDBPyConnection, *, offline: bool) -> bool:
    statements = ["load httpfs"] if offline else ["load httpfs", "install httpfs; load httpfs"]
    for statement in statements:
        try:
            connection.execute(statement)
        except (duckdb.IOException, duckdb.HTTPException):
            continue
        return True
    return False


def _secret(options: Mapping[str, str]) -> str:
    scheme, _, host = options.get("aws_endpoint_url", "").rpartition("://")
    values = {
        "key_id": options["aws_access_key_id"],
        "secret": options.get("aws_secret_access_key"),
        "session_token": options.get("aws_session_token"),
        "region": options.get("aws_region"),
        "endpoint": host.rstrip("/") or None,
        "url_style": "path" if host else None,
        "use_ssl": "false" if scheme == "http" else None,
    }
    given = ", ".join(f"{name} {_literal(value)}" for name, value in values.items() if value)
    return f"create or replace secret lake (type s3, {given})"


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
