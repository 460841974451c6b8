"""`sightline depth-audit`: run its flow against a Prefect API and say what came of it.

The Prefect environment is set before Prefect is imported, because Prefect reads it once.
"""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from flows.depth_report import copy_report
from flows.depth_wanted import Wanted, open_folders
from flows.inspection import text_table
from flows.lakes import open_lake_of
from flows.running import opened_flow
from infra.catalog.catalog import Catalog
from infra.settings import load_settings, process_environment, set_environment
from infra.telemetry import configure_logging
from tasks.depth_audit.params import NoiseParams

if TYPE_CHECKING:
    from flows.depth_audit import AuditSummary

TABLES = ("depth_trust", "depth_quality")
"""Queries shown in the terminal, if they have rows."""


def run_depth_audit(wanted: Wanted, noise: NoiseParams, lake: str | None, out: Path) -> str:
    """Audit, and return the outcome with its tables.

    Raises:
        UsageError: there is nothing to audit, or a folder cannot be used.
        CheckpointError: weights are missing or incomplete.
        AuditFailedError: some parts failed; the others are committed.
    """
    settings = load_settings(lake=lake)
    configure_logging(settings)
    set_environment(process_environment(settings))
    open_folders(wanted)
    given = {"lake": settings.lake, "wanted": asdict(wanted), "noise": asdict(noise)}
    with opened_flow(settings, "depth_audit") as flow:
        summary: AuditSummary = flow.run(given)
    opened = open_lake_of(settings)
    with Catalog(opened) as catalog:
        tables = [catalog.run_query(name) for name in TABLES]
    shown = [text_table(table) for table in tables if table.num_rows]
    return "\n".join([*shown, summary.text(), f"Report: {copy_report(opened, out)}"])
