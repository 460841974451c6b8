"""Flows that keep a lake healthy: SQL checks and maintenance, run on a schedule.

Both are safe beside running builds: checks read one snapshot, maintenance commits like any writer
and removes only files that no snapshot of the retention period names.
"""

from prefect import flow, get_run_logger

from flows.artifacts import publish_checks
from flows.runtime import open_lake_of, open_ledger_of
from infra.catalog import Catalog
from infra.settings import load_settings
from sightline.errors import SightlineError
from sightline.schemas import CONTRACTS


class ChecksFailedError(SightlineError):
    """At least one check of severity `fail` found rows."""


@flow(name="check-lake", persist_result=False)
def check_lake(lake: str | None = None) -> int:
    """Run every check of sql/checks and return how many found rows.

    Raises:
        ChecksFailedError: a check of severity `fail` found rows; the artifact lists them.
    """
    settings = load_settings(lake=lake)
    with Catalog(open_lake_of(settings)) as catalog:
        results = catalog.checks()
    publish_checks(results)
    broken = [r for r in results if not r.passed]
    for result in broken:
        get_run_logger().warning("%s: %d rows", result.name, result.rows)
    fatal = [r.name for r in broken if r.severity == "fail"]
    if fatal:
        msg = f"expected no rows from the checks, found some from {fatal}; see the artifact"
        raise ChecksFailedError(msg)
    return len(broken)


@flow(name="maintain-lake", persist_result=False)
def maintain_lake(lake: str | None = None) -> dict[str, int]:
    """Commit orphaned spools, compact small files and vacuum; return files removed per table."""
    settings = load_settings(lake=lake)
    opened = open_lake_of(settings)
    with open_ledger_of(settings, opened) as ledger:
        ledger.flush()
    removed = {}
    for name, contract in CONTRACTS.items():
        opened.optimize(contract)
        removed[name] = len(opened.vacuum(contract))
    return removed
