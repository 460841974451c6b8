"""SIGKILL to a worker in mid-part: how many images are computed twice, and whether rows differ.

Workers are processes on a Ray of our own.  Their log says what each was given; a worker is killed
when a given share of the part is in the log.  What it held is given to others, so the images that
stand in the log twice are the price.  The part is then compared with one that was left alone.
"""

import os
import signal
import threading
import time
from collections import Counter
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final

from benchmarks.annotation.inputs import part_sizes, synthetic, write_lake
from infra.annotation import BATCH_ROWS, annotate_images
from infra.execution import PartResult, RunContext
from infra.lake.lake import Lake
from infra.pool.local_pool import LocalPool
from infra.pool.ray_pool import RayPool
from infra.pool.workers import Placement, Pool
from sightline.schemas import DEPTH_MAPS
from tasks.depth.params import DepthParams
from tasks.depth.task import DEPTH

COUNTED: Final = replace(DEPTH, factory="benchmarks.annotation.counted:CountedDepthWorker")
PICTURE_PX: Final = (160, 120)
SIDE: Final = 126
ALONE: Final = "left alone"
SHARES: Final = (0.2, 0.5, 0.8)
WORKERS: Final = 2
POLL_S: Final = 0.005
LIMIT_S: Final = 300.0


def kill_proof(folder: Path, rows: int) -> dict[str, Any]:
    """Return what kills at several shares of a part of `rows` images cost."""
    sizes = part_sizes(rows, 1)
    pictures = synthetic(rows, *PICTURE_PX)
    lakes = {share: folder / str(share) for share in (ALONE, *SHARES)}
    for lake in lakes.values():
        write_lake(lake, pictures, sizes)
    trial = Trial(next(iter(sizes)), rows, folder / "images.log")
    with LocalPool() as pool:
        trial.annotate(lakes[ALONE], pool)
    truth = maps_of(lakes[ALONE])
    kills = []
    with RayPool(Placement(workers=WORKERS, num_cpus=1)) as ray:
        for share in SHARES:
            found = trial.with_kill(lakes[share], share, ray)
            kills.append(found | {"maps_equal": maps_of(lakes[share]) == truth})
    return {"images": rows, "workers": WORKERS, "batch_rows": BATCH_ROWS, "kills": kills}


@dataclass(frozen=True, slots=True)
class Trial:
    """One part, annotated by workers that log what they are given.

    Attributes:
        part: of `images`, the same in every lake.
        rows: of the part.
        log: of all workers; emptied before a kill, so that one crew serves all of them.
    """

    part: str
    rows: int
    log: Path

    def annotate(self, lake: Path, pool: Pool) -> PartResult:
        """Annotate the part of one lake."""
        params = asdict(DepthParams(input_px=SIDE, precision="fp32")) | {"log": str(self.log)}
        context = RunContext(lake=Lake(lake), recipe="benchmark", recipe_identity="0")
        return annotate_images(self.part, COUNTED, params, context, pool)

    def with_kill(self, lake: Path, share: float, pool: Pool) -> dict[str, Any]:
        """Return what a kill at `share` of the part cost, by the workers' log."""
        self.log.write_text("")
        killer = threading.Thread(target=self._kill_at, args=(round(share * self.rows),))
        killer.start()
        result = self.annotate(lake, pool)
        killer.join()
        logged = self._lines()
        times = Counter(Counter(image_id for _, image_id in logged).values())
        return {
            "at_share": share,
            "images_computed_twice": times[2],
            "images_computed_more_often": sum(n for t, n in times.items() if t > 2),  # noqa: PLR2004
            "processes": len({pid for pid, _ in logged}),
            "rows": result.rows,
            "failed": result.failed,
        }

    def _lines(self) -> list[tuple[str, str]]:
        whole = self.log.read_text().rpartition("\n")[0].splitlines()
        return [(line.split()[0], line.split()[1]) for line in whole]

    def _kill_at(self, images: int) -> None:
        """Kill the process that was last given images, once `images` are in the log."""
        until = time.monotonic() + LIMIT_S
        while time.monotonic() < until:
            if len(logged := self._lines()) >= images:
                os.kill(int(logged[-1][0]), signal.SIGKILL)
                return
            time.sleep(POLL_S)


def maps_of(lake: Path) -> dict[str, bytes]:
    """Return the stored maps by image."""
    columns = ["image_id", "depth"]
    return {
        row["image_id"]: row["depth"]
        for batch in Lake(lake).scan(DEPTH_MAPS, columns=columns)
        for row in batch.to_pylist()
    }
