"""`sightline batch`: send what a recipe lacks, see where batches stand, collect, cancel.

`submit` runs the flow `batch-distill` for one wave, so it needs the same things as a build; the
others only read and write the lake and ask the endpoint.
"""

import time
from typing import Annotated

import typer

PROBLEMS = 1

app = typer.Typer(help="Buy teacher calls in batches: cheaper, within a day.", no_args_is_help=True)

Lake = Annotated[
    str | None,
    typer.Option("--lake", help="Folder or s3://bucket/prefix; default SIGHTLINE_LAKE or ./lake."),
]


@app.command()
def submit(
    recipe: Annotated[str, typer.Argument(help="A recipe file, or the name of a shipped one.")],
    lake: Lake = None,
    overrides: Annotated[
        list[str] | None,
        typer.Option("--set", help="Change a recipe key: steps.distill.rounds=4. Repeatable."),
    ] = None,
) -> None:
    """Collect what is finished and send what is lacking next; build when nothing is lacking.

    Example: sightline batch submit visreason --set source.path=rows.jsonl
    """
    from flows.building import build_in_batches

    raise typer.Exit(build_in_batches(recipe, lake, overrides or [], wait=False))


@app.command()
def status(lake: Lake = None) -> None:
    """Show the batches of a lake as it knows them; asks nobody.

    Example: sightline batch status
    """
    from flows.batching import batch_table
    from flows.lakes import ledger_lake_of
    from infra.settings import load_settings

    typer.echo(batch_table(ledger_lake_of(load_settings(lake=lake))))


@app.command()
def collect(
    lake: Lake = None,
    wait: Annotated[bool, typer.Option("--wait", help="Go on until no batch is open.")] = False,
) -> None:
    """Bring the answers of finished batches into the ledger; exit code 1 if one was refused.

    Example: sightline batch collect --wait
    """
    from flows.batching import collect_finished, sentence_about
    from infra.settings import load_settings
    from infra.teacher.batch.client import UnreachableError

    settings = load_settings(lake=lake)
    while True:
        try:
            received = collect_finished(settings)
        except UnreachableError as error:
            if not wait:
                raise
            typer.echo(f"{error}; asking again", err=True)
        else:
            typer.echo(sentence_about(received))
            if not wait or not any(found.batch.is_open for found in received):
                break
        time.sleep(settings.batch_poll_s)
    raise typer.Exit(PROBLEMS if any(found.is_refused for found in received) else 0)


@app.command()
def cancel(
    batch_key: Annotated[str, typer.Argument(metavar="KEY", help="Key or its beginning.")],
    lake: Lake = None,
    forget: Annotated[
        bool,
        typer.Option("--forget", help="Give it up without asking; the endpoint may still bill it."),
    ] = False,
) -> None:
    """Ask the endpoint to end a batch; answers that exist are paid and stay to be collected.

    Example: sightline batch cancel batch_3f2a
    """
    from flows.batching import cancel_batch
    from infra.settings import load_settings

    batch = cancel_batch(load_settings(lake=lake), batch_key, forget=forget)
    typer.echo(f"{batch.batch_key} is {batch.state}; collect it to keep the answers that exist")
