"""Encoded pictures for the annotation benchmark, and the lake that holds them.

Photos of a folder, or synthetic ones: octaves of noise, whose JPEGs are about as long as those of
photos of their size.  Where more pictures are wanted than there are, they come again with their
number in a comment segment, so that every stored image is another one by its sha256.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
import numpy.typing as npt

from infra.images.decode import ImageProblem, inspect_header
from infra.images.pixels import encode_jpeg
from infra.lake.lake import Lake
from sightline.ids import image_id
from sightline.provenance import fingerprint_of
from sightline.schemas import IMAGES

RGB = npt.NDArray[np.uint8]

JPEGS: Final = (".jpg", ".jpeg")
DISTINCT: Final = 64
"""Synthetic pictures that are really drawn."""
QUALITY: Final = 90
OCTAVES: Final = 7
CHUNK: Final = 256
SOI: Final = b"\xff\xd8"
COMMENT: Final = b"\xff\xfe"
PART: Final = "images-{:03d}"


def photos(folders: Sequence[Path], most: int) -> list[bytes]:
    """Return at most `most` readable JPEGs below `folders`, spread evenly over what is found.

    Raises:
        FileNotFoundError: there are none.
    """
    found = sorted(p for f in folders for p in f.rglob("*") if p.suffix.lower() in JPEGS)
    step = max(1, len(found) // most)
    readable = [data for path in found[::step] if _is_jpeg(data := path.read_bytes())][:most]
    if not readable:
        msg = f"no JPEG below {[str(f) for f in folders]}; --synthetic needs none"
        raise FileNotFoundError(msg)
    return readable


def synthetic(count: int, width: int, height: int, seed: int = 518) -> list[bytes]:
    """Return at most `DISTINCT` JPEGs of (width, height) px."""
    rng = np.random.default_rng(seed)
    return [
        encode_jpeg(_landscape(rng, width, height), QUALITY) for _ in range(min(count, DISTINCT))
    ]


def numbered(pictures: Sequence[bytes], count: int) -> Iterator[bytes]:
    """Yield `count` JPEGs, no two of the same bytes."""
    for number in range(count):
        text = f"{number:012d}".encode()
        length = (len(text) + 2).to_bytes(2, "big")
        yield SOI + COMMENT + length + text + pictures[number % len(pictures)][len(SOI) :]


def write_lake(folder: Path, pictures: Sequence[bytes], sizes: Mapping[str, int]) -> None:
    """Commit parts of `images` with as many pictures as `sizes` says, all of them distinct."""
    lake = Lake(folder)
    encoded = numbered(pictures, sum(sizes.values()))
    for part, rows in sizes.items():
        _commit(lake, part, list(islice(encoded, rows)))


def part_sizes(count: int, parts: int) -> dict[str, int]:
    """Return `count` rows spread over `parts` parts by name."""
    return {
        PART.format(number): count // parts + (number < count % parts) for number in range(parts)
    }


def _commit(lake: Lake, part: str, pictures: Sequence[bytes]) -> None:
    fingerprint = fingerprint_of([part, len(pictures)])
    with lake.stage(IMAGES, part, fingerprint) as writer:
        for start in range(0, len(pictures), CHUNK):
            rows = IMAGES.rows(map(_row, pictures[start : start + CHUNK]))
            provenance = {"part": part, "run_id": "benchmark", "fingerprint": fingerprint}
            writer.write(IMAGES.with_provenance(rows, **provenance))
        lake.publish(IMAGES, [writer.finish()])


def _row(data: bytes) -> dict[str, Any]:
    header = inspect_header(data)
    return {
        "image_id": image_id(data),
        "bytes": data,
        "width": header.width,
        "height": header.height,
        "format": header.format,
        "n_bytes": len(data),
        "n_frames": header.n_frames,
        "pixel_sha": image_id(data),
        "exif_orientation": header.orientation,
        "source": "benchmark",
    }


def _is_jpeg(data: bytes) -> bool:
    try:
        return inspect_header(data).format == "jpeg"
    except ImageProblem:
        return False


def _landscape(rng: np.random.Generator, width: int, height: int) -> RGB:
    """Return noise with a power of about 1 / f**2, as photos have (Field 1987)."""
    picture = np.zeros((height, width, 3), dtype=np.float32)
    for octave in range(OCTAVES):
        grid = rng.normal(size=(2 ** (octave + 1), 2 ** (octave + 1), 3)).astype(np.float32)
        picture += cv2.resize(grid, (width, height), interpolation=cv2.INTER_CUBIC) / 2**octave
    low, high = picture.min(), picture.max()
    return np.asarray((picture - low) * (255.0 / (high - low)), dtype=np.uint8)
