"""What a build shows in the Prefect UI: progress, funnel, failures, cost, report link.

Artifacts hold counts and small tables only; rows stay in the lake.  Each has a key, so the UI
keeps their history over builds.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import pyarrow as pa
from prefect.artifacts import (
    create_link_artifact,
    create_markdown_artifact,
    create_progress_artifact,
    create_table_artifact,
    update_progress_artifact,
)

from infra.catalog.catalog import Catalog, CheckResult

TABLES: Mapping[str, tuple[str, str]] = {
    "yield-funnel": ("yield_funnel.sql", "How many rows each stage kept, and what was lost where."),
    "duplicate-tiers": ("duplicate_tiers.sql", "Duplicates by kind, tier and what follows."),
    "failures-by-code": ("failures.sql", "Rows that could not be used, by step and code."),
    "teacher-cost": ("cost.sql", "Calls made and reused, tokens and dollars by step."),
    "teacher-calls": ("calls.sql", "Outcomes, latency and size of all calls in the ledger."),
    "teacher-latency": ("latency.sql", "How long calls took, in buckets that double."),
}
"""Artifact key → (query in sql/queries, description)."""


class ProgressBar:
    """A progress artifact over the tasks of one build; cheap enough to update per part."""

    def __init__(self, total: int, description: str, key: str = "build") -> None:
        self._total = max(total, 1)
        self._done = 0
        created = create_progress_artifact(progress=0.0, key=key, description=description)
        self._id: UUID = created  # type: ignore[assignment]  # sync in a sync flow

    def advance(self) -> None:
        """Count one finished task run."""
        self._done += 1
        update_progress_artifact(
            artifact_id=self._id, progress=min(100.0, 100.0 * self._done / self._total)
        )


def publish_tables(catalog: Catalog, keys: Iterable[str] = tuple(TABLES)) -> None:
    """Publish tables of `TABLES`, all if not told which, from the lake as it stands."""
    for key in keys:
        query, description = TABLES[key]
        rows = _plain_rows(catalog.run_query(query))
        create_table_artifact(table=rows, key=key, description=description)


def publish_batches(catalog: Catalog) -> None:
    """Publish where the batches of teacher calls stand."""
    create_table_artifact(
        table=_plain_rows(catalog.run_query("batches")),
        key="teacher-batches",
        description="Batches of teacher calls, newest first.",
    )


def publish_checks(checks: Sequence[CheckResult]) -> None:
    """Publish what every check found."""
    rows = [
        {"check": c.name, "severity": c.severity, "rows": c.rows, "promises": c.purpose}
        for c in sorted(checks, key=lambda c: (c.passed, c.name))
    ]
    create_table_artifact(table=rows, key="checks", description="SQL checks; 0 rows is good.")


def publish_findings(broken: Sequence[CheckResult]) -> None:
    """Publish the first rows that each of these checks found, a table per check."""
    for check in broken:
        create_table_artifact(
            table=_plain_rows(check.sample),
            key=f"check-{check.name.replace('_', '-').lower()}",
            description=f"{check.rows} rows break: {check.purpose}",
        )


def publish_maintenance(tables: Sequence[Mapping[str, Any]], recovered: int) -> None:
    """Publish what maintenance did to each table, and the responses it found in the spool."""
    description = f"{recovered} teacher responses recovered from the spool; files per table."
    rows = [dict(table) for table in tables]
    create_table_artifact(table=rows, key="maintenance", description=description)


def publish_summary(text: str, report_uri: str) -> None:
    """Publish the closing words of a build and the address of its report."""
    create_markdown_artifact(markdown=text, key="summary", description="What this build did.")
    create_link_artifact(
        link=report_uri,
        link_text="Report page",
        key="report",
        description="Yield, teachers, cost, checks, duplicates and samples of the lake.",
    )


def publish_pilot(text: str) -> None:
    """Publish what a pilot says about the whole source."""
    description = "Yield and price of a sample of the rows, and what the whole would take."
    create_markdown_artifact(markdown=f"```text\n{text}\n```", key="pilot", description=description)


def publish_contamination(catalog: Catalog) -> None:
    """Publish how much of the lake matches each benchmark."""
    create_table_artifact(
        table=_plain_rows(catalog.run_query("contamination_summary")),
        key="contamination",
        description="Matches with each benchmark, by rule and decision.",
    )


def publish_certificate(text: str) -> None:
    """Publish what a decontamination certificate says."""
    description = "What was compared with which benchmarks, what matched, what was not compared."
    create_markdown_artifact(markdown=text, key="certificate", description=description)


def publish_depth_audit(catalog: Catalog, lines: Sequence[str], report_uri: str) -> None:
    """Publish what a depth audit found: a summary, tables, and the address of its page."""
    said = "\n".join(f"- {line}" for line in lines)
    create_markdown_artifact(
        markdown=f"# Depth audit\n\n{said}\n\nPage: `{report_uri}`",
        key="depth-audit-summary",
        description="How far depth can be trusted: under noise, against truth and people.",
    )
    for name in ("depth_trust", "depth_quality"):
        rows = _plain_rows(catalog.run_query(name))
        create_table_artifact(table=rows, key=name.replace("_", "-"), description=name)
    create_link_artifact(
        link=report_uri,
        link_text="Depth audit",
        key="depth-audit-report",
        description="Curves: under noise, against measured depth and human labels.",
    )


def _plain_rows(table: pa.Table) -> list[dict[str, Any]]:
    rows: Sequence[Mapping[str, Any]] = table.to_pylist()
    return [{name: _plain(value) for name, value in row.items()} for row in rows]


def _plain(value: Any) -> Any:
    """Return a JSON value: the UI's tables take no decimals, times or bytes."""
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, bytes):
        return f"{len(value)} bytes"
    return value
