"""The training set: rendered once into memory-mapped arrays.

Training scenes and held-out scenes come from different seeds, so no held-out scene was ever
trained on.
"""

import logging
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from scripts.training.labels import label_map
from scripts.training.preprocess import DEPTH_RULE, resized
from tasks.ingest.scenes.render import Rendered, render
from tasks.ingest.scenes.solids import Scene
from tasks.ingest.scenes.world import SceneParams, sample_scene

log = logging.getLogger(__name__)

TRAIN_SEED: Final = 20_001
HELD_OUT_SEED: Final = 90_001

CHUNK: Final = 100
"""Scenes rendered by one call of a worker process."""

Array = npt.NDArray[Any]
HeldOut = tuple[tuple[Scene, Rendered], ...]


@dataclass(frozen=True, slots=True)
class TrainingSet:
    """Memory-mapped scenes.

    Attributes:
        rgb: (N, 192, 256, 3) uint8.
        small_rgb: (N, 126, 168, 3) uint8, resized as the depth worker does it.
        inverse_depth: (N, 126, 168) float16, 1 / metres, 0 for the sky.
        weight: (N, 126, 168) uint8, 1 on solids.
        labels: (N, 192, 256) uint8, index into `labels.LABELS`.
    """

    rgb: Array
    small_rgb: Array
    inverse_depth: Array
    weight: Array
    labels: Array


SHAPES: Final[dict[str, tuple[tuple[int, ...], str]]] = {
    "rgb": ((192, 256, 3), "uint8"),
    "small_rgb": ((126, 168, 3), "uint8"),
    "inverse_depth": ((126, 168), "float16"),
    "weight": ((126, 168), "uint8"),
    "labels": ((192, 256), "uint8"),
}


def held_out(count: int) -> HeldOut:
    """The first `count` scenes that training never sees, with their truth."""
    params = SceneParams(n=count, seed=HELD_OUT_SEED)
    scenes = (sample_scene(HELD_OUT_SEED, index, params) for index in range(count))
    return tuple((scene, render(scene)) for scene in scenes)


def training_set(folder: Path, count: int, processes: int = 2) -> TrainingSet:
    """The first `count` training scenes, rendered into `folder` unless they are there already."""
    done = folder / f"done-{count}"
    if not done.exists():
        _fill(folder, count, processes)
        done.touch()
    return TrainingSet(**{name: np.load(_path(folder, name), mmap_mode="r") for name in SHAPES})


def _fill(folder: Path, count: int, processes: int) -> None:
    """Render all scenes, a chunk at a time."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, (shape, dtype) in SHAPES.items():
        np.lib.format.open_memmap(
            _path(folder, name), mode="w+", dtype=dtype, shape=(count, *shape)
        )
    starts = range(0, count, CHUNK)
    with ProcessPoolExecutor(processes) as pool:
        for finished, _ in enumerate(pool.map(_fill_chunk, *_arguments(folder, starts, count)), 1):
            log.info("rendered %s of %s scenes", min(count, finished * CHUNK), count)


def _arguments(folder: Path, starts: range, count: int) -> tuple[list[Path], list[int], list[int]]:
    """Columns of arguments for `_fill_chunk`."""
    stops = [min(count, start + CHUNK) for start in starts]
    return [folder] * len(stops), list(starts), stops


def _fill_chunk(folder: Path, start: int, stop: int) -> None:
    """Render scenes `start` to `stop` into the arrays."""
    arrays = {name: np.load(_path(folder, name), mmap_mode="r+") for name in SHAPES}
    params = SceneParams(n=stop, seed=TRAIN_SEED)
    for index in range(start, stop):
        scene = sample_scene(TRAIN_SEED, index, params)
        for name, value in _row(scene, render(scene)).items():
            arrays[name][index] = value


def _row(scene: Scene, rendered: Rendered) -> dict[str, Array]:
    """One scene as the networks see it."""
    small = resized(rendered.rgb, DEPTH_RULE)
    height, width = small.shape[:2]
    rows = ((np.arange(height) + 0.5) * rendered.depth.shape[0] / height).astype(np.intp)
    columns = ((np.arange(width) + 0.5) * rendered.depth.shape[1] / width).astype(np.intp)
    grid = np.ix_(rows, columns)
    return {
        "rgb": rendered.rgb,
        "small_rgb": small,
        "inverse_depth": (1.0 / rendered.depth[grid]).astype(np.float16),
        "weight": (rendered.instance[grid] > 0).astype(np.uint8),
        "labels": label_map(scene, rendered),
    }


def _path(folder: Path, name: str) -> Path:
    return folder / f"{name}.npy"
