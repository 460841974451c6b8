"""Memory while one part of many images is annotated: flat, or a leak.

One part, because all that could pile up does so within a part: decoded pictures, maps on their way
to Parquet, results that wait for their turn.  The network is the embedded one and pictures are
small, so that ten thousand take minutes on two cores.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from benchmarks.annotation.inputs import numbered, part_sizes, synthetic, write_lake
from benchmarks.annotation.job import Job
from benchmarks.annotation.networks import TINY, write_checkpoint
from benchmarks.annotation.rounds import started
from benchmarks.measuring.process_tree import growth

PICTURE_PX: Final = (160, 120)
SIDE: Final = 126
WARM: Final = "warm"
QUARTERS: Final = 4


def memory_proof(rows: int, folder: Path, env: Mapping[str, str]) -> dict[str, Any]:
    """Return how resident memory went over one part of `rows` images."""
    files, scratch = folder / "pictures", folder / "scratch"
    files.mkdir()
    scratch.mkdir()
    pictures = synthetic(rows, *PICTURE_PX)
    for number, data in enumerate(numbered(pictures, 1)):
        (files / f"{number}.jpg").write_bytes(data)
    sizes = part_sizes(rows, 1)
    write_lake(folder / "lake", pictures, sizes | {WARM: 1})
    job = Job(
        contender="sightline",
        checkpoint=str(write_checkpoint(TINY, folder / "checkpoint", SIDE)),
        pictures=str(files),
        lake=str(folder / "lake"),
        parts=tuple(sizes),
        warm_part=WARM,
        scratch=str(scratch),
        side=SIDE,
        precision="fp32",
    )
    with started(job, folder, env) as contender:
        contender.run()
    samples = contender.usage.rss_bytes
    quarter = max(1, len(samples) // QUARTERS)
    means = [samples[n * quarter : (n + 1) * quarter] for n in range(QUARTERS)]
    return {
        "images": contender.last["images"],
        "seconds": round(contender.last["seconds"], 1),
        "cpu_ms_per_image": round(1000 * contender.last["cpu_s"] / contender.last["images"], 2),
        "peak_rss_mb": round(max(samples) / 2**20),
        "mean_rss_mb_by_quarter": [round(sum(m) / max(1, len(m)) / 2**20) for m in means],
        "rss_last_over_second_quarter": round(growth(samples), 3),
    }
