"""Real pictures by kind, from the folder of real data; extra photos from any other folder."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from infra.images.decode import ImageProblem, decode

PHOTOS: Final = ("coco/images", "imagenet_samples", "blink_depth", "daquar/images")
CHARTS: Final = (
    "opencqa_charts/images", "puzzlevqa/images", "algopuzzlevqa/images", "mathvision/images",
    "geometry3k_examples/images", "scienceqa/images",
)  # fmt: skip
DOCUMENTS: Final = (
    "docvqa_mini/images", "funsd_forms/images", "sroie_viscot/images", "tabmwp/images",
)  # fmt: skip
SUFFIXES: Final = (".jpg", ".jpeg", ".png")


def pictures(folders: Sequence[Path], most: int) -> dict[str, bytes]:
    """Return at most `most` readable files by path, spread evenly over what is found."""
    found = [path for folder in folders for path in _files(folder)]
    step = max(1, -(-len(found) // most))
    return {str(path): data for path in found[::step] for data in _readable(path)}


def _files(folder: Path) -> list[Path]:
    return sorted(p for p in folder.rglob("*") if p.suffix.lower() in SUFFIXES)


def _readable(path: Path) -> Iterator[bytes]:
    data = path.read_bytes()
    try:
        decode(data)
    except ImageProblem:
        return
    yield data
