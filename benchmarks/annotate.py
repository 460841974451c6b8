"""Depth maps of a dataset: images/s from encoded JPEG in the lake to committed Parquet.

    python benchmarks/annotate.py --model s [--photos FOLDER | --synthetic] [--images 48]
    python benchmarks/annotate.py --memory-rows 10000
    python benchmarks/annotate.py --kill

Contenders on the same device, pictures, weights and input size: the bare forward loop over tensors
that lie on the device, the same over the network as the worker places it, Sightline end to end,
transformers' pipeline as its page shows and at equal input size, and a plain loop.  Each lives in a
process of its own and they take turns; figures are medians of the rounds, ratios those of one run
of this script.  Weights are random but of the true size.  One JSON object; a goal that is missed
ends with status 1.
"""

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.annotation.inputs import numbered, part_sizes, photos, synthetic, write_lake
from benchmarks.annotation.job import Job
from benchmarks.annotation.memory_proof import memory_proof
from benchmarks.annotation.networks import MODELS, SIZES, TINY, write_checkpoint
from benchmarks.annotation.rounds import Contender, medians, ratios, split, started
from benchmarks.dedup_pictures.collections import PHOTOS
from benchmarks.measuring.machine import machine

ROOT: Final = Path(__file__).resolve().parents[1]
DATA: Final = Path(os.environ.get("SIGHTLINE_TEST_DATA", ROOT.parent / "shared" / "data"))
WARM: Final = "warm"
WARM_IMAGES: Final = 4
CONTENDERS: Final = (
    "bare forward",
    "forward as placed",
    "sightline",
    "pipeline",
    "pipeline, equal input",
    "plain loop",
)
GOALS: Final = {
    "cpu": {"rate over bare forward": 0.95, "rate over pipeline, equal input": 2.0},
    "cuda": {"rate over bare forward": 0.90, "rate over pipeline, equal input": 5.0},
}


@dataclass(frozen=True, slots=True)
class Inputs:
    """What all contenders are given.

    Attributes:
        pictures: different encoded pictures.
        files: folder with as many as are annotated.
        lake: folder of the lake with the same.
        parts: of the lake.
    """

    pictures: Sequence[bytes]
    files: Path
    lake: Path
    parts: tuple[str, ...]


def main() -> None:
    """Measure what was asked for and print one JSON object."""
    given = arguments()
    found: dict[str, Any] = {"machine": machine("torch", "transformers", "pyarrow", "deltalake")}
    missed: list[str] = []
    with tempfile.TemporaryDirectory(prefix="sightline-annotate-", dir=given.scratch) as name:
        folder = Path(name)
        if given.memory_rows:
            found["memory"] = memory_proof(given.memory_rows, folder, environment(given))
        elif given.kill:
            from benchmarks.annotation.kill_proof import kill_proof  # noqa: PLC0415 - imports Ray

            found["kill"] = kill_proof(folder, given.images or 640)
        else:
            found |= compared(given, folder)
            missed = missed_goals(found["ratios"], found["device"])
    print(json.dumps(found | {"missed": missed}, indent=2))
    sys.exit(bool(missed))


def compared(given: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Return the figures of every contender, and their ratios."""
    inputs = written(given, folder)
    job = Job(
        contender="",
        checkpoint=str(write_checkpoint(given.model, folder / "checkpoint", given.side)),
        pictures=str(inputs.files),
        lake=str(inputs.lake),
        parts=inputs.parts,
        warm_part=WARM,
        scratch="",
        side=given.side,
        precision=given.precision,
        batch=given.batch,
        pool=given.pool,
        workers=given.workers,
        in_flight=given.in_flight,
        compiles=given.compile,
    )
    contenders = taken_in_turns(given, job, folder)
    figures = {name: medians(contender) for name, contender in contenders.items()}
    stages = {n: c.sampled for n, c in contenders.items() if c.sampled}
    return {
        "model": given.model,
        "parameters": SIZES[given.model].parameters if given.model != TINY else None,
        "side": given.side,
        "precision": given.precision,
        "images": len(os.listdir(inputs.files)),  # noqa: PTH208 - a count
        "input": described(inputs),
        "rounds": given.repeat,
        "device": next(iter(contenders.values())).facts["torch_device"],
        "contenders": figures,
        "ratios": ratios(figures),
        "cpu_ms_per_image_by_stage": {name: split(run) for name, run in stages.items()},
        "stored_kb_per_map": {
            n: round(run["stored_bytes"] / run["images"] / 1000, 1)
            for n, run in stages.items()
            if run["stored_bytes"]
        },
    }


def taken_in_turns(given: argparse.Namespace, job: Job, folder: Path) -> dict[str, Contender]:
    """Return the contenders after all rounds; each round runs every one of them once."""
    contenders: dict[str, Contender] = {}
    with ExitStack() as stack:
        for name in given.only:
            scratch = folder / name.replace(" ", "-")
            scratch.mkdir()
            own = replace(job, contender=name, scratch=str(scratch))
            contenders[name] = stack.enter_context(started(own, folder, environment(given)))
        for number in range(given.repeat + given.warm_up):
            for name, contender in contenders.items():
                contender.run(is_warm_up=number < given.warm_up)
                print(f"{number} {name}: {json.dumps(contender.last)}", file=sys.stderr, flush=True)
        if given.stages and "sightline" in contenders:
            contenders["sightline"].sample()
    return contenders


def written(given: argparse.Namespace, folder: Path) -> Inputs:
    """Write the pictures as files and as parts of a lake."""
    count = given.images or (4096 if given.device == "cuda" else 48)
    if given.synthetic:
        width, height = (int(side) for side in given.picture.split("x"))
        pictures = synthetic(count, width, height)
    else:
        where = [given.photos] if given.photos else [DATA / name for name in PHOTOS]
        pictures = photos(where, count)
    files = folder / "pictures"
    files.mkdir()
    for number, data in enumerate(numbered(pictures, count)):
        (files / f"{number:06d}.jpg").write_bytes(data)
    sizes = part_sizes(count, given.parts)
    write_lake(folder / "lake", pictures, sizes | {WARM: WARM_IMAGES})
    return Inputs(pictures, files, folder / "lake", tuple(sizes))


def described(inputs: Inputs) -> dict[str, Any]:
    """Return what the pictures are."""
    return {
        "different": len(inputs.pictures),
        "mean_kb": round(sum(map(len, inputs.pictures)) / len(inputs.pictures) / 1000, 1),
    }


def missed_goals(found: Mapping[str, float], device: str) -> list[str]:
    """Return the goals for this device that a ratio is below."""
    goals = GOALS["cpu" if device == "cpu" else "cuda"]
    return [f"{n}: {found[n]} < {goal}" for n, goal in goals.items() if found.get(n, goal) < goal]


def environment(given: argparse.Namespace) -> dict[str, str]:
    """Return what the processes of the contenders are told beside their job."""
    hidden = {"CUDA_VISIBLE_DEVICES": ""} if given.device == "cpu" else {}
    return {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_VERBOSITY": "error"} | hidden


def arguments() -> argparse.Namespace:
    """Return the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", choices=MODELS, default="s")
    parser.add_argument("--side", type=int, default=518, help="Short side of the input, px.")
    parser.add_argument("--images", type=int, default=0, help="0: 48 on a CPU, 4096 on a GPU.")
    parser.add_argument("--photos", type=Path, help="Folder of JPEGs; default: the test data.")
    parser.add_argument("--synthetic", action="store_true", help="Draw the pictures.")
    parser.add_argument("--picture", default="640x480", help="Size of drawn pictures.")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--precision", choices=("fp32", "bf16"), default="bf16")
    parser.add_argument("--compile", action="store_true", help="torch.compile, bare loop too.")
    parser.add_argument("--batch", type=int, default=0, help="Of the bare loop; 0: the best.")
    parser.add_argument(
        "--pool",
        choices=("local", "ray"),
        default="local",
        help="Threads of one process, or processes, which share no interpreter lock.",
    )
    parser.add_argument("--workers", type=int, default=1, help="Of the pool, sharing the GPU.")
    parser.add_argument("--parts", type=int, default=4, help="Parts the images lie in.")
    parser.add_argument("--in-flight", type=int, default=4, help="Parts worked on at once.")
    parser.add_argument("--repeat", type=int, default=3, help="Rounds.")
    parser.add_argument("--warm-up", type=int, default=0, help="Rounds before them.")
    parser.add_argument("--no-stages", dest="stages", action="store_false")
    parser.add_argument("--only", nargs="+", choices=CONTENDERS, default=CONTENDERS)
    parser.add_argument("--scratch", type=Path, help="Folder for what is written and removed.")
    parser.add_argument("--memory-rows", type=int, default=0, help="Memory over so many images.")
    parser.add_argument("--kill", action="store_true", help="Kill a worker in mid-part.")
    return parser.parse_args()


if __name__ == "__main__":
    main()
