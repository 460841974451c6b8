"""`sightline dedup` and `sightline calibrate`."""

from pathlib import Path
from typing import Annotated

import typer

from tasks.dedup.semantic.params import Kind

Lake = Annotated[
    str | None,
    typer.Option("--lake", help="Folder or s3://bucket/prefix; default SIGHTLINE_LAKE or ./lake."),
]
Overrides = Annotated[
    list[str] | None,
    typer.Option("--set", help="Change a recipe key: steps.dedup.image_bits=16. Repeatable."),
]


def dedup(
    lake: Lake = None,
    recipe: Annotated[
        str | None,
        typer.Option("--recipe", help="Whose parameters decide; default: the defaults."),
    ] = None,
    overrides: Overrides = None,
) -> None:
    """Find the duplicates of a lake as it stands; say what each tier found and what is left.

    Example: sightline dedup --recipe demo --set steps.dedup.questions=drop
    """
    from flows.building import dedup_lake

    dedup_lake(lake, recipe, overrides or [])


def calibrate(
    pairs: Annotated[Path, typer.Argument(help="JSONL of labelled pairs.")],
    recipe: Annotated[
        str, typer.Option("--recipe", help="Whose step dedup_semantic names the encoder.")
    ],
    kind: Annotated[
        Kind | None, typer.Option("--kind", help="What the pairs are; default: as the rows say.")
    ] = None,
    precision: Annotated[
        float,
        typer.Option(
            min=0.01, max=1.0, help="Wanted share of true duplicates among what is reported."
        ),
    ] = 0.99,
    overrides: Overrides = None,
    lake: Lake = None,
) -> None:
    """Read from labelled pairs the cosine from which items count as alike, and store it.

    Example: sightline calibrate pairs.jsonl --recipe mine --kind chain --precision 0.95
    """
    from flows.building import calibrate_lake

    given = {"recipe": recipe, "precision": precision, "overrides": overrides or []}
    typer.echo(calibrate_lake(pairs, lake, given | {"kind": kind and kind.value}))
