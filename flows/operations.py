"""Flows that keep a lake healthy: SQL checks and maintenance, run on a schedule.

Both are safe beside running builds: checks read one snapshot, maintenance commits like any writer.
The one way to do harm is a `retention_hours` shorter than a step runs or a reader reads: files
that a running step has staged, or that an open snapshot holds, would be deleted under it.
"""

from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated

from prefect import flow, get_run_logger, task
from prefect.cache_policies import NO_CACHE
from pydantic import Field

from flows.artifacts import publish_checks, publish_findings, publish_maintenance
from flows.lakes import open_lake_of, open_ledger_of
from flows.logs import open_logs
from infra.catalog.catalog import Catalog
from infra.lake.lake import Lake
from infra.ledger.upkeep import keep_up
from infra.settings import load_settings
from sightline.errors import SightlineError
from sightline.schemas import CONTRACTS, Contract
from tasks.dedup.stored_memory import delete_abandoned

RETENTION_HOURS = 168
"""A week: longer than any step runs, and time to look at last week's versions."""

ATTEMPTS_AGAIN = 3
"""A build that replaces a part while its files are joined makes the join fail; it is repeated."""


class ChecksFailedError(SightlineError):
    """At least one check of severity `fail` found rows."""


@dataclass(frozen=True, slots=True)
class TableMaintenance:
    """What maintenance did to one table; a part has at least one file."""

    table: str
    parts: int
    files_before: int
    files_after: int
    deleted: int


@flow(name="check-lake", persist_result=False)
def check_lake(lake: str | None = None) -> int:
    """Run every check of sql/checks and return how many found rows.

    Args:
        lake: folder or `s3://bucket/prefix`; the settings' lake if not given.

    Raises:
        ChecksFailedError: a check of severity `fail` found rows; artifacts show the first of them.
    """
    settings = load_settings(lake=lake)
    open_logs(settings)
    with Catalog(open_lake_of(settings)) as catalog:
        results = catalog.checks()
    broken = [r for r in results if not r.passed]
    publish_checks(results)
    publish_findings(broken)
    for result in broken:
        get_run_logger().warning("%s: %d rows", result.name, result.rows)
    fatal = [r.name for r in broken if r.severity == "fail"]
    if fatal:
        msg = f"expected no rows from the checks, found some from {fatal}; see the artifacts"
        raise ChecksFailedError(msg)
    return len(broken)


@flow(name="maintain-lake", persist_result=False)
def maintain_lake(
    lake: str | None = None,
    retention_hours: Annotated[int, Field(ge=0)] = RETENTION_HOURS,
) -> list[TableMaintenance]:
    """Commit what dead builds left in the spool, join small files, delete files nobody needs.

    Among these are settlements by rules that no recipe uses any longer.

    Rows and marks stay as they are, and so do parts but for the ledger's, of which small ones
    become one: a build afterwards recomputes and buys nothing.

    Args:
        lake: folder or `s3://bucket/prefix`; the settings' lake if not given.
        retention_hours: files that no version of these hours holds are deleted; 0 only while
            nothing else reads or writes the lake.

    Returns:
        one entry per table that has files.
    """
    settings = load_settings(lake=lake)
    open_logs(settings)
    opened = open_lake_of(settings)
    ledger = open_ledger_of(settings, opened)
    try:
        upkeep = keep_up(ledger)
    finally:
        ledger.close()
    done = [maintain_table(opened, contract, retention_hours) for contract in CONTRACTS.values()]
    delete_abandoned(opened.objects, datetime.now(UTC) - timedelta(hours=retention_hours))
    found = [table for table in done if table.files_before or table.deleted]
    publish_maintenance([asdict(table) for table in found], upkeep.recovered)
    return found


@task(
    task_run_name="maintain {contract.name}",
    cache_policy=NO_CACHE,
    persist_result=False,
    retries=ATTEMPTS_AGAIN,
    retry_delay_seconds=[2, 10, 30],
    retry_jitter_factor=0.5,
)
def maintain_table(lake: Lake, contract: Contract, retention_hours: int) -> TableMaintenance:
    """Join the small files of one table and delete what no recent version holds."""
    before = lake.snapshot(contract).files
    deleted = lake.maintain(contract, retention_hours=retention_hours)
    after = lake.snapshot(contract).files
    return TableMaintenance(
        table=contract.name,
        parts=len({file.part for file in after}),
        files_before=len(before),
        files_after=len(after),
        deleted=deleted,
    )
