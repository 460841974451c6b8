"""Images of a part within reach by id: on local disk, so that memory stays flat.

The lake gives images in table order, a chain asks for them in its own.  Reading one image from
Parquet for every view would decode a row group each time, and holding a part in memory would be
hundreds of megabytes.
"""

import tempfile
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from infra.images.decode import ImageProblem
from infra.lake.lake import Lake
from sightline.errors import Failure
from sightline.schemas import IMAGES

BATCH_ROWS = 64
"""Images in memory at once while the shelf is filled."""


@dataclass(frozen=True, slots=True)
class ShelvedImage:
    """A stored image with what its crops inherit."""

    data: bytes
    source: str
    licence: str | None


class ImageShelf:
    """Stored images by id; safe to read from several threads."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._facts: dict[str, tuple[str, str | None]] = {}

    def fill(self, lake: Lake, parts: Sequence[str], wanted: Collection[str]) -> None:
        """Copy the images `wanted` from `parts` of the lake."""
        columns = ["image_id", "bytes", "source", "licence"]
        ids = set(wanted)
        for batch in lake.scan(IMAGES, parts=parts, columns=columns, batch_rows=BATCH_ROWS):
            kept = batch.filter(pc.is_in(batch["image_id"], value_set=_strings(ids)))
            for row in kept.to_pylist():
                (self._folder / row["image_id"]).write_bytes(row["bytes"])
                self._facts[row["image_id"]] = (row["source"], row["licence"])

    def load(self, image_id: str) -> ShelvedImage:
        """Return a stored image.

        Raises:
            ImageProblem: it is not stored.
        """
        facts = self._facts.get(image_id)
        if facts is None:
            raise ImageProblem(Failure.IMAGE_MISSING, f"image {image_id} is not in the lake")
        return ShelvedImage((self._folder / image_id).read_bytes(), *facts)


@contextmanager
def image_shelf(lake: Lake, parts: Sequence[str], wanted: Collection[str]) -> Iterator[ImageShelf]:
    """Give a filled shelf and remove it afterwards."""
    with tempfile.TemporaryDirectory(prefix="sightline-images-") as folder:
        shelf = ImageShelf(Path(folder))
        if wanted:
            shelf.fill(lake, parts, wanted)
        yield shelf


def _strings(values: Collection[str]) -> pa.Array:
    return pa.array(sorted(values), pa.string())
