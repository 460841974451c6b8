"""`sightline decontaminate` and `sightline certificate`."""

from pathlib import Path
from typing import Annotated

import typer

from sightline.errors import UsageError

Lake = Annotated[
    str | None,
    typer.Option("--lake", help="Folder or s3://bucket/prefix; default SIGHTLINE_LAKE or ./lake."),
]


def decontaminate(  # noqa: PLR0913, PLR0917 - a parameter per option
    against: Annotated[
        str | None,
        typer.Option(
            "--against",
            help="Data file, folder of data files or images, or a lake; "
            "without it, all benchmarks that the lake knows.",
        ),
    ] = None,
    name: Annotated[
        str | None, typer.Option("--name", help="Name of the benchmark; default: its file's.")
    ] = None,
    version: Annotated[
        str | None, typer.Option("--version", help="Its version; default: hash of its content.")
    ] = None,
    dataset: Annotated[
        str | None, typer.Option("--dataset", help="Of a lake, only this dataset.")
    ] = None,
    text_column: Annotated[
        list[str] | None,
        typer.Option(
            "--text-column",
            help="The question's column, then those of other texts; default: found by their names. "
            "Repeatable.",
        ),
    ] = None,
    image_column: Annotated[
        list[str] | None,
        typer.Option(
            "--image-column",
            help="A column of picture names, bytes or data URIs; default: found by their names. "
            "Repeatable.",
        ),
    ] = None,
    images: Annotated[
        str | None,
        typer.Option("--images", help="Folder that picture names start from; default: the file's."),
    ] = None,
    rule: Annotated[
        list[str] | None,
        typer.Option(
            "--rule",
            help="Apply these rules only, with a threshold if you like: ngram13, image_phash=16. "
            "Repeatable.",
        ),
    ] = None,
    decision: Annotated[
        list[str] | None,
        typer.Option(
            "--decision", help="What follows from a rule: ngram13=drop, exact=review. Repeatable."
        ),
    ] = None,
    template_share: Annotated[
        float,
        typer.Option(help="Runs of words in more than this share of its items match nothing."),
    ] = 0.01,
    list_rules: Annotated[
        bool,
        typer.Option("--list-rules", help="Print the rules and what follows from each, and stop."),
    ] = False,
    forget: Annotated[
        str | None,
        typer.Option(
            "--forget",
            metavar="NAME[@VERSION]",
            help="Compare nothing: remove this benchmark and its matches from the lake.",
        ),
    ] = None,
    lake: Lake = None,
) -> None:
    """Compare the lake with a benchmark: questions, chains and pictures, by rules with evidence.

    Samples that a benchmark holds (same picture and same question) are left out of accepted traces
    and later builds; what only resembles it is listed for review. Nothing is deleted.

    Example: sightline decontaminate --against exam.jsonl --name exam --version 1
    """
    if list_rules:
        from flows.decontamination import rules_text

        typer.echo(rules_text())
        return
    if forget is not None:
        from flows.forgetting import forget_benchmark

        if against is not None:
            msg = "expected --against or --forget, found both"
            raise UsageError(msg)
        typer.echo(forget_benchmark(forget, lake))
        return
    from flows.decontamination import Command, run_decontaminate

    command = Command(
        path=against,
        name=name,
        version=version,
        dataset=dataset,
        text_columns=tuple(text_column or ()),
        image_columns=tuple(image_column or ()),
        images=images,
        rules=tuple(rule or ()),
        decisions=tuple(decision or ()),
        template_share=template_share,
    )
    typer.echo(run_decontaminate(command, lake))


def certificate(
    release: Annotated[
        str, typer.Option("--release", help="Name of a release, or current.")
    ] = "current",
    out: Annotated[
        Path | None, typer.Option("--out", help="File to write, .json or .md; default: print.")
    ] = None,
    sha: Annotated[
        str | None,
        typer.Option(
            "--sha256", help="Show a certificate that the lake keeps; its first characters."
        ),
    ] = None,
    lake: Lake = None,
) -> None:
    """Certify what the lake was compared with, what matched, and what was not compared.

    Every certificate is kept in the lake under certificates/, named by its sha256.

    Example: sightline certificate --out certificate.json
    """
    from flows.certificate import write_certificate

    typer.echo(write_certificate(lake, release, out, sha))
