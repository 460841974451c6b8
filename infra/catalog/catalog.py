"""SQL over a lake: ad-hoc queries, the packaged queries, and the checks.

A catalog reads one pinned state of the lake; `refresh` takes a newer one.  Queries cannot change
anything, by two fences of which neither is enough alone (ADR 0003):

* only a single SELECT (or EXPLAIN of one) is run: DuckDB lets `COPY ... (use_tmp_file false)`
  overwrite a file it is allowed to read;
* external access is off except for the exact files of the snapshot, and the configuration is
  locked: `read_csv('/etc/passwd')` and loading extensions fail.

Every query has its own cursor, so catalogs may be shared between threads.
"""

import re
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources.abc import Traversable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import duckdb
import pyarrow as pa

from infra.lake.lake import Lake
from sightline.errors import LakeError, UsageError
from sightline.reader import connect, pin, sql_files

Parameters = Sequence[Any] | Mapping[str, Any] | None

SEVERITIES = ("fail", "warn")
SAMPLE_ROWS = 20
HEADER = re.compile(r"^--\s*(check|severity)\s*:\s*(.+?)\s*$", re.MULTILINE | re.IGNORECASE)
EXPLAIN = re.compile(r"\s*explain\s+(?:analyze\s+)?(.*)", re.DOTALL | re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class CheckResult:
    """What one file of sql/checks found.

    Attributes:
        name: the file's name without `.sql`.
        severity: `fail` or `warn`.
        rows: number of offending rows.
        sample: the first of them, at most `SAMPLE_ROWS`.
    """

    name: str
    severity: str
    purpose: str
    rows: int
    sample: pa.Table

    @property
    def passed(self) -> bool:
        """Whether no row offends."""
        return self.rows == 0


class Catalog:
    """Read-only SQL on one state of a lake."""

    def __init__(self, lake: Lake) -> None:
        self._lake = lake
        self._lock = threading.Lock()
        self._opened: duckdb.DuckDBPyConnection | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.refresh()

    def refresh(self) -> None:
        """Close what is open; the next query reads what is committed then."""
        with self._lock:
            opened, self._opened = self._opened, None
        if opened is not None:
            opened.close()

    def query(self, sql: str, parameters: Parameters = None) -> pa.Table:
        """Return the result of one SELECT.

        Args:
            sql: one statement, with `?`, `$1` or `$name` for values.
            parameters: the values; they are bound, never put into the text.

        Raises:
            UsageError: the statement is not a SELECT, does not run, or reads what it may not.
        """
        cursor = self._cursor()
        try:
            return _select(cursor, sql, parameters).to_arrow_table()
        except duckdb.Error as exc:
            raise UsageError(_explained(exc)) from exc

    def run_file(self, path: Path, parameters: Parameters = None) -> pa.Table:
        """Return the result of the one SELECT in a file.

        Raises:
            UsageError: there is no such file, or as `query` says.
        """
        if not path.is_file():
            msg = f"expected a file with one SELECT, found nothing at {str(path)!r}"
            raise UsageError(msg)
        return self.query(path.read_text(encoding="utf-8"), parameters)

    def run_query(self, name: str, parameters: Parameters = None) -> pa.Table:
        """Return the result of a packaged query, `sql/queries/<name>`; `.sql` may be left out.

        Raises:
            UsageError: there is no such query.
        """
        known = {file.name.removesuffix(".sql"): file for file in sql_files("queries")}
        wanted = name.removesuffix(".sql")
        if wanted not in known:
            msg = f"no query is called {name!r}; there are {', '.join(known)}"
            raise UsageError(msg)
        return self.query(known[wanted].read_text(encoding="utf-8"), parameters)

    def checks(self) -> list[CheckResult]:
        """Return the result of every check, by name.

        Raises:
            LakeError: a check does not run or has no header.
        """
        return [self._check(file) for file in sql_files("checks")]

    def _check(self, file: Traversable) -> CheckResult:
        text = file.read_text(encoding="utf-8")
        purpose, severity = check_header(file.name, text)
        try:
            reader = _select(self._cursor(), text, None).to_arrow_reader()
            rows, kept = 0, []
            for batch in reader:
                kept.append(batch.slice(0, max(SAMPLE_ROWS - rows, 0)))
                rows += batch.num_rows
        except (duckdb.Error, UsageError) as exc:
            msg = f"check {file.name} does not run: {exc}"
            raise LakeError(msg) from exc
        sample = pa.Table.from_batches(kept, schema=reader.schema)
        return CheckResult(file.name.removesuffix(".sql"), severity, purpose, rows, sample)

    def _cursor(self) -> duckdb.DuckDBPyConnection:
        with self._lock:
            if self._opened is None:
                self._opened = self._open()
            return self._opened.cursor()

    def _open(self) -> duckdb.DuckDBPyConnection:
        lake = self._lake
        snapshots = pin(lake.uri, lake.options)
        connection, files = connect(snapshots, lake.uri, lake.options, offline=True)
        _fence(connection, files)
        return connection


def check_header(name: str, text: str) -> tuple[str, str]:
    """Return purpose and severity from the first lines of a check.

    Raises:
        LakeError: one of them is missing, or the severity is unknown.
    """
    found = {key.lower(): value for key, value in HEADER.findall(text)}
    purpose, severity = found.get("check"), found.get("severity", "").lower()
    if not purpose or severity not in SEVERITIES:
        msg = (
            f"check {name} must start with '-- check: <what it promises>' and "
            f"'-- severity: <{' | '.join(SEVERITIES)}>', found {found!r}"
        )
        raise LakeError(msg)
    return purpose, severity


def _fence(connection: duckdb.DuckDBPyConnection, files: Sequence[str]) -> None:
    quoted = ", ".join("'" + path.replace("'", "''") + "'" for path in files)
    for statement in (
        "set python_enable_replacements = false",
        f"set allowed_paths = [{quoted}]",
        "set enable_external_access = false",
        "set lock_configuration = true",
    ):
        connection.execute(statement)


def _select(
    cursor: duckdb.DuckDBPyConnection, sql: str, parameters: Parameters
) -> duckdb.DuckDBPyRelation:
    statements = cursor.extract_statements(sql)
    kinds = [_kind(cursor, statement) for statement in statements]
    if kinds != [duckdb.StatementType.SELECT]:
        names = [kind.name for kind in kinds] or ["nothing"]
        msg = f"expected one SELECT (the lake is only read here), found {', '.join(names)}"
        raise UsageError(msg)
    return cursor.sql(statements[0], params=parameters)


def _kind(cursor: duckdb.DuckDBPyConnection, statement: duckdb.Statement) -> duckdb.StatementType:
    """Return a statement's type; for EXPLAIN, of what it explains: ANALYZE runs it."""
    inner = EXPLAIN.fullmatch(statement.query)
    if statement.type != duckdb.StatementType.EXPLAIN or inner is None:
        return statement.type
    explained = cursor.extract_statements(inner[1])
    return explained[0].type if len(explained) == 1 else statement.type


def _explained(exc: duckdb.Error) -> str:
    return f"the query does not run: {exc}"
