"""Commands that read a lake: SQL, checks, the report page and exports; no Prefect, no Ray."""

from pathlib import Path

import pyarrow as pa

from infra.catalog.catalog import Catalog, CheckResult
from infra.catalog.format import Format, to_format
from infra.embedded_teacher.names import is_embedded
from infra.lake.lake import Lake
from infra.settings import load_settings
from sightline.errors import UsageError
from tasks.publish.export import export, images_by
from tasks.publish.report import render_report
from tasks.publish.report_data import ReportOptions, report_data


def catalog_of(lake: str | None) -> Catalog:
    """Return the catalog of the named lake, or of the settings' lake."""
    settings = load_settings(lake=lake)
    return Catalog(Lake(settings.lake, settings.storage))


def run_sql(query: str | None, file: Path | None, lake: str | None, output: str) -> bytes:
    """Return the result of one SELECT in the wanted format.

    Raises:
        UsageError: not exactly one of `query` and `file` is given, or the statement does not run.
    """
    if (query is None) == (file is None):
        msg = "expected either a query or -f FILE, found " + (
            "neither" if query is None else "both"
        )
        raise UsageError(msg)
    catalog = catalog_of(lake)
    table = catalog.run_file(file) if file is not None else catalog.query(query or "")
    return to_format(table, output)


def text_table(table: pa.Table) -> str:
    """Return rows as the text table that `sightline sql` prints."""
    return to_format(table, Format.TABLE).decode()


def check_lake(lake: str | None) -> tuple[str, bool]:
    """Return what every check found, as text, and whether one of severity `fail` found rows."""
    results = catalog_of(lake).checks()
    lines = [_check_line(result) for result in results]
    for result in results:
        if not result.passed:
            lines += ["", f"{result.name}: {result.purpose}", text_table(result.sample)]
    failed = any(r.severity == "fail" and not r.passed for r in results)
    passed = sum(r.passed for r in results)
    lines.append(f"{passed} of {len(results)} checks found no rows")
    return "\n".join(lines), failed


def _check_line(result: CheckResult) -> str:
    state = "ok" if result.passed else result.severity
    return f"{state:5} {result.name} ({result.rows} rows)"


def report_page(name: str, catalog: Catalog, checks: list[CheckResult]) -> str:
    """Return the report on the lake that `catalog` reads, as one HTML page."""
    options = ReportOptions(
        title=f"Sightline: {name}" if name else "Sightline report",
        recipe=name,
        embedded_teachers=_embedded_teachers(catalog),
    )
    return render_report(report_data(catalog.query, checks=checks, options=options))


def write_report_to(lake: str | None, out: Path) -> Path:
    """Write the report on a lake to `out`/index.html and return the path."""
    catalog = catalog_of(lake)
    page = report_page("", catalog, catalog.checks())
    out.mkdir(parents=True, exist_ok=True)
    path = out / "index.html"
    path.write_text(page, encoding="utf-8")
    return path


def export_lake(kind: str, out: Path, lake: str | None) -> str:
    """Write the accepted chains in one format and return a sentence about it.

    Raises:
        UsageError: the format is unknown, or `out` holds something else than an export.
    """
    with catalog_of(lake) as catalog:
        manifest = export(
            kind,
            catalog.query,
            images_by(catalog.query),
            out,
            embedded_teachers=_embedded_teachers(catalog),
        )
    return (
        f"{manifest.rows} rows and {manifest.n_images} images in {len(manifest.files)} files "
        f"under {out}; see {out / 'README.md'}"
    )


def _embedded_teachers(catalog: Catalog) -> frozenset[str]:
    """Return the names in a lake whose rows must be labelled as templates."""
    names = catalog.query("select distinct teacher from generations")["teacher"].to_pylist()
    return frozenset(filter(is_embedded, names))
