"""The rows that every client is asked: questions with a known answer, with or without a picture."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np

from benchmarks.peers.job import Row
from infra.images.pixels import encode_jpeg

PICTURES: Final = 64
SIDE_PX: Final = 480
"""Noise of this size is about 300 kB as JPEG."""

PROMPT: Final = """Answer the question about the picture.
Question: How many red cubes are there in picture {number}?
Reference answer: {answer}
Objects in view:
- 1. red cube [0.10, 0.20, 0.30, 0.45] depth 0.83
- 2. blue sphere [0.60, 0.20, 0.80, 0.45] depth 0.20
Round: 1 of 1
Task: single"""


def write_pictures(folder: Path) -> list[Path]:
    """Write the pictures and return their files."""
    rng = np.random.default_rng(2511)
    paths = [folder / f"{number}.jpg" for number in range(PICTURES)]
    for path in paths:
        path.write_bytes(encode_jpeg(rng.integers(0, 256, (SIDE_PX, SIDE_PX, 3), dtype=np.uint8)))
    return paths


def write_rows(path: Path, count: int, pictures: Sequence[Path] = ()) -> Path:
    """Write rows 0..count-1 as JSON lines and return the file; pictures come in turn."""
    with path.open("w", encoding="utf-8") as out:
        for number in range(count):
            prompt = PROMPT.format(number=number, answer=number % 7)
            image = str(pictures[number % len(pictures)]) if pictures else None
            out.write(json.dumps(vars(Row(f"row-{number}", prompt, image))) + "\n")
    return path
