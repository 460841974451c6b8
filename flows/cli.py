"""The console script `sightline`: parse arguments, call one function, print, set the exit code.

Exit codes: 0 done; 1 the job ran and found problems; 2 wrong usage or input.  Libraries that take
seconds to import are imported inside the commands, so that `--help` answers at once, and Prefect
only after its environment is set.
"""

import logging
import sys
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from flows.batch_commands import app as batch_app
from flows.decontaminate_commands import certificate, decontaminate
from flows.dedup_commands import calibrate, dedup
from flows.depth_audit_commands import depth_audit
from flows.ledger_commands import app as ledger_app
from sightline.errors import SightlineError, UsageError
from sightline.teardown import mute_teardown

PROBLEMS = 1
USAGE = 2

app = typer.Typer(
    name="sightline",
    help="Build visual chain-of-thought datasets and query them with SQL.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
teacher_app = typer.Typer(help="The embedded teacher.", no_args_is_help=True)
app.add_typer(teacher_app, name="teacher")
app.add_typer(batch_app, name="batch")
app.add_typer(ledger_app, name="ledger")
app.command()(dedup)
app.command()(calibrate)
app.command()(decontaminate)
app.command()(certificate)
app.command()(depth_audit)

Lake = Annotated[
    str | None,
    typer.Option("--lake", help="Folder or s3://bucket/prefix; default SIGHTLINE_LAKE or ./lake."),
]
Overrides = Annotated[
    list[str] | None,
    typer.Option("--set", help="Change a recipe key: steps.distill.rounds=4. Repeatable."),
]
RecipePath = Annotated[str, typer.Argument(help="A recipe file, or the name of a shipped one.")]


class OutputFormat(StrEnum):
    """How `sightline sql` prints."""

    TABLE = "table"
    JSON = "json"
    CSV = "csv"
    PARQUET = "parquet"


class PlanFormat(StrEnum):
    """How `sightline plan` prints."""

    TEXT = "text"
    JSON = "json"


@app.command()
def build(
    recipe: RecipePath,
    lake: Lake = None,
    overrides: Overrides = None,
    pilot: Annotated[
        str | None,
        typer.Option(
            "--pilot",
            help="Build only 1% of the source rows, or so many of them, in a lake of their own, "
            "and say what all would give and cost.",
        ),
    ] = None,
    batch: Annotated[
        bool,
        typer.Option(
            "--batch", help="Buy the teacher's calls in batches: cheaper, but within a day a round."
        ),
    ] = False,
) -> None:
    """Build a recipe; what is committed already is neither computed nor bought again.

    Example: sightline build demo --set source.n=20
    """
    from flows.building import build_in_batches, build_recipe

    if batch and pilot is not None:
        msg = "expected --batch or --pilot, found both: a pilot measures live calls"
        raise UsageError(msg)
    if batch:
        raise typer.Exit(build_in_batches(recipe, lake, overrides or [], wait=True))
    raise typer.Exit(build_recipe(recipe, lake, overrides or [], pilot))


@app.command()
def plan(
    recipe: RecipePath,
    lake: Lake = None,
    overrides: Overrides = None,
    batch: Annotated[
        bool, typer.Option("--batch", help="Price the calls as those of a batch.")
    ] = False,
    output: Annotated[
        PlanFormat, typer.Option("--format", help="Lines for people, or JSON for programs.")
    ] = PlanFormat.TEXT,
) -> None:
    """Say what a build would ask and cost; spends nothing and writes nothing.

    Example: sightline plan demo --format json
    """
    from flows.planning import plan_recipe

    found = plan_recipe(recipe, lake, overrides or [], batch=batch)
    typer.echo(found.as_json() if output is PlanFormat.JSON else found.text())


@app.command()
def reparse(recipe: RecipePath, lake: Lake = None, overrides: Overrides = None) -> None:
    """Derive steps and verdicts from the stored replies again, asking nobody; say what changed.

    Example: sightline reparse demo --set steps.distill.grammar=think_answer
    """
    from flows.building import reparse_recipe

    typer.echo(reparse_recipe(recipe, lake, overrides or []))


@app.command()
def sql(
    query: Annotated[str | None, typer.Argument(help="One SELECT.")] = None,
    file: Annotated[Path | None, typer.Option("-f", "--file", help="File with it.")] = None,
    lake: Lake = None,
    output: Annotated[OutputFormat, typer.Option("--format")] = OutputFormat.TABLE,
) -> None:
    """Run one SELECT on every table and view of the lake.

    Example: sightline sql "select stage, n_rows from funnel order by stage_no"
    """
    from flows.inspection import run_sql

    sys.stdout.buffer.write(run_sql(query, file, lake, output.value))


@app.command()
def check(lake: Lake = None) -> None:
    """Run every check of sql/checks; exit code 1 if one of severity `fail` finds rows.

    Example: sightline check --lake s3://bucket/lake
    """
    from flows.inspection import check_lake

    text, failed = check_lake(lake)
    typer.echo(text)
    raise typer.Exit(PROBLEMS if failed else 0)


@app.command()
def report(
    lake: Lake = None,
    out: Annotated[Path, typer.Option("--out", help="Folder for the page.")] = Path("report"),
) -> None:
    """Write the report on a lake as one HTML file.

    Example: sightline report --out report
    """
    from flows.inspection import write_report_to

    typer.echo(f"report: {write_report_to(lake, out)}")


@app.command()
def export(
    kind: Annotated[str, typer.Argument(metavar="FORMAT", help="visreason, llava or parquet.")],
    out: Annotated[Path, typer.Option("--out", help="Folder for the files.")],
    lake: Lake = None,
) -> None:
    """Write the accepted chains as training files, with a manifest and a data card.

    Example: sightline export llava --out export
    """
    from flows.inspection import export_lake

    typer.echo(export_lake(kind, out, lake))


@app.command()
def doctor(lake: Lake = None) -> None:
    """Check this machine, the lake, the workers and the teacher; exit code 1 if one is not usable.

    Example: sightline doctor
    """
    from flows.diagnosis import diagnose

    findings = diagnose(lake)
    for finding in findings:
        typer.echo(finding.line())
    raise typer.Exit(PROBLEMS if any(f.is_fatal for f in findings) else 0)


@app.command()
def ui() -> None:
    """Serve the Prefect UI with the history of earlier builds until Ctrl-C.

    Example: sightline ui
    """
    from infra.prefect_api.server import serve_ui
    from infra.settings import load_settings

    serve_ui(load_settings(), lambda session: typer.echo(f"Prefect UI: {session.ui_url}"))


@app.command()
def serve(
    file: Annotated[Path, typer.Option("-f", "--file", help="File with the deployments.")] = Path(
        "prefect.yaml"
    ),
) -> None:
    """Run the deployments of prefect.yaml on schedule and on demand until Ctrl-C; no worker needed.

    Example: sightline serve
    """
    from flows.serving import serve_deployments

    serve_deployments(file)


@teacher_app.command("serve")
def teacher_serve(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port; 0 takes a free one.")] = 8321,
    log: Annotated[Path | None, typer.Option(help="JSONL file of every request.")] = None,
    state: Annotated[
        Path | None, typer.Option(help="Folder in which files and batches outlive the server.")
    ] = None,
    behaviour: Annotated[
        Path | None, typer.Option(help="YAML: how it and other models behave.")
    ] = None,
    misbehave: Annotated[
        list[str] | None,
        typer.Option("--set", help="Error on purpose: wrong_answer_share=0.05. Repeatable."),
    ] = None,
) -> None:
    """Serve the embedded teacher, an OpenAI-compatible endpoint that writes template replies.

    Example: sightline teacher serve --port 8321 --set latency_ms=150 --set server_error_share=0.05
    """
    from flows.serving import serve_teacher, teacher_config

    config = teacher_config(behaviour, misbehave or [])
    serve_teacher(replace(config, host=host, port=port, log=log, state=state))


def main() -> NoReturn:
    """Run the command line; errors the user can act on are one line without a traceback."""
    mute_teardown()
    try:
        app(standalone_mode=True)
    except UsageError as exc:
        _fail(exc, USAGE)
    except SightlineError as exc:
        _fail(exc, PROBLEMS)
    sys.exit(0)


def _fail(error: Exception, code: int) -> NoReturn:
    logging.getLogger(__name__).debug("failed", exc_info=error)
    typer.echo(f"sightline: {error}", err=True)
    sys.exit(code)
