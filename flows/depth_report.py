"""The page of depth audits: kept in the lake, and written to a folder on request."""

from collections.abc import Sequence
from pathlib import Path

from infra.catalog.catalog import Catalog
from infra.lake.lake import Lake
from tasks.depth_audit.report import figures, render_audit, text_summary
from tasks.depth_audit.report_data import AuditData, audit_data

PAGE_KEY = "reports/depth-audit.html"
FIGURES_KEY = "reports/depth-audit.json"


def keep_report(lake: Lake, catalog: Catalog) -> tuple[str, Sequence[str]]:
    """Write page and figures into the lake; return the page's address and the summary's lines."""
    data = audit_data(catalog.query, lake.uri)
    for key, text in _files(data).items():
        lake.objects.put(key, text.encode("utf-8", "backslashreplace"))
    return f"{lake.uri}/{PAGE_KEY}", text_summary(data)


def copy_report(lake: Lake, out: Path) -> Path:
    """Write the page and its figures, as kept in the lake, to a folder; return the page's path."""
    out.mkdir(parents=True, exist_ok=True)
    (out / "figures.json").write_bytes(lake.objects.get(FIGURES_KEY))
    page = out / "index.html"
    page.write_bytes(lake.objects.get(PAGE_KEY))
    return page


def _files(data: AuditData) -> dict[str, str]:
    return {PAGE_KEY: render_audit(data), FIGURES_KEY: figures(data)}
