"""`sightline depth-audit`."""

from pathlib import Path
from typing import Annotated

import typer


def depth_audit(  # noqa: PLR0913, PLR0917 - a parameter per option
    truth: Annotated[
        list[str] | None,
        typer.Option("--truth", help="Folder with depth.jsonl: measured depth. Repeatable."),
    ] = None,
    human: Annotated[
        list[str] | None,
        typer.Option("--human", help="Folder of labels: which point is nearer. Repeatable."),
    ] = None,
    weights: Annotated[
        list[str] | None,
        typer.Option(
            "--weights",
            help="Depth weights to compare with these folders: folder, object-store URI or hub id; "
            "default: the lake's, else embedded:depth. Repeatable.",
        ),
    ] = None,
    input_px: Annotated[
        int | None,
        typer.Option("--input-px", help="Short side of their input; default 518, embedded 126."),
    ] = None,
    segment_weights: Annotated[
        str, typer.Option("--segment-weights", help="Finds objects where depth is true, or none.")
    ] = "embedded:segment",
    segment_px: Annotated[
        int | None,
        typer.Option("--segment-px", help="Short side of its input; default 512, embedded 192."),
    ] = None,
    pictures: Annotated[
        int, typer.Option("--pictures", min=1, help="Most pictures of a part to disturb.")
    ] = 200,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Of noise and random pairs.")] = 0,
    out: Annotated[Path, typer.Option("--out", help="Folder for the page and its figures.")] = Path(
        "depth-audit"
    ),
    lake: Annotated[
        str | None,
        typer.Option(
            "--lake", help="Folder or s3://bucket/prefix; default SIGHTLINE_LAKE or ./lake."
        ),
    ] = None,
) -> None:
    """Say how far depth can be trusted: under noise, against true depth, against people.

    Example: sightline depth-audit --truth nyu --weights depth-anything/Depth-Anything-V2-Small-hf
    """
    from flows.depth_auditing import run_depth_audit
    from flows.depth_wanted import Wanted
    from tasks.depth_audit.params import NoiseParams

    wanted = Wanted(
        truth=tuple(truth or ()),
        human=tuple(human or ()),
        weights=tuple(weights or ()),
        input_px=input_px,
        segment_weights=segment_weights,
        segment_px=segment_px,
        seed=seed,
    )
    noise = NoiseParams(seed=seed, pictures=pictures)
    typer.echo(run_depth_audit(wanted, noise, lake, out))
