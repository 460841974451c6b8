"""`sightline ledger`: what was paid, the rows themselves, and upkeep."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(help="The ledger: every paid call.", no_args_is_help=True)

Lake = Annotated[
    str | None,
    typer.Option("--lake", help="Folder or s3://bucket/prefix; default SIGHTLINE_LAKE or ./lake."),
]
Teacher = Annotated[str | None, typer.Option("--teacher", help="Model name as in recipes.")]


class RowsFormat(StrEnum):
    """What `sightline ledger export` writes."""

    JSONL = "jsonl"
    PARQUET = "parquet"


@app.command()
def spend(
    lake: Lake = None,
    by: Annotated[
        str,
        typer.Option("--by", help="Any of recipe, step, teacher, day, outcome, channel."),
    ] = "recipe,step,teacher",
    since: Annotated[str | None, typer.Option("--since", help="First day, YYYY-MM-DD.")] = None,
) -> None:
    """Print what was spent.

    Example: sightline ledger spend --by teacher,day --since 2026-01-01
    """
    from flows.bookkeeping import spend_table

    typer.echo(spend_table(lake, by, since), nl=False)


@app.command()
def show(
    key: Annotated[str, typer.Argument(help="A request_key, or how it begins.")],
    lake: Lake = None,
) -> None:
    """Print one call with its request and response, all draws of it, as JSON.

    Example: sightline ledger show 3fa94c
    """
    from flows.bookkeeping import show_call

    typer.echo(show_call(lake, key))


@app.command()
def export(
    out: Annotated[Path, typer.Option("--out", help="File to write.")],
    output: Annotated[RowsFormat, typer.Option("--format")] = RowsFormat.JSONL,
    teacher: Teacher = None,
    lake: Lake = None,
) -> None:
    """Write every committed call to one file, oldest first.

    Example: sightline ledger export --out calls.parquet --format parquet
    """
    from flows.bookkeeping import export_ledger

    typer.echo(export_ledger(lake, out, output.value, teacher))


@app.command("import")
def import_(
    file: Annotated[Path, typer.Argument(help="File of responses; a folder for curator.")],
    source: Annotated[
        str, typer.Option("--format", help="sightline, openai-batch or curator.")
    ] = "sightline",
    requests: Annotated[
        Path | None, typer.Option("--requests", help="Input file of the batch.")
    ] = None,
    teacher: Teacher = None,
    lake: Lake = None,
) -> None:
    """Take responses that were paid elsewhere, so that no recipe buys them again.

    Example: sightline ledger import output.jsonl --format openai-batch --requests input.jsonl
    """
    from flows.bookkeeping import import_ledger, job_of

    typer.echo(import_ledger(lake, job_of(file, source, requests, teacher)))


@app.command()
def compact(lake: Lake = None) -> None:
    """Join the many small parts that builds leave into few; `maintain-lake` does it too.

    Example: sightline ledger compact
    """
    from flows.bookkeeping import compact as join_parts

    typer.echo(join_parts(lake))
