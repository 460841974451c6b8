"""A dataset of a lake as a benchmark: its samples, with the picture facts that ingest measured."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from typing import Any, Final

from infra.images.decode import ImageProblem, decode
from infra.lake.lake import Lake
from sightline.errors import Failure, SourceError
from sightline.schemas import IMAGES, SAMPLES
from tasks.decontaminate.gallery import Look
from tasks.decontaminate.items import Item, Picture, PictureFacts, bare
from tasks.ingest.source import ImageRef, Problem

DECODE_THREADS: Final = 2
BATCH_ROWS: Final = 32
SAMPLE_COLUMNS = ("sample_id", "dataset", "question", "choices", "answer", "image_ids")


class LakeItems:
    """The samples of one dataset, or of all; an item is called by its sample id."""

    def __init__(self, lake: Lake, dataset: str | None = None) -> None:
        """Take where the samples are.

        Raises:
            SourceError: the lake has no samples of this dataset.
        """
        self._lake, self._dataset = lake, dataset
        known = set(lake.read(SAMPLES, columns=["dataset"])["dataset"].to_pylist())
        if not known or (dataset is not None and dataset not in known):
            msg = f"expected samples of {dataset or 'any dataset'} in {lake.uri}, found {known}"
            raise SourceError(msg)

    @property
    def uri(self) -> str:
        """Return the lake, and the dataset in it."""
        return self._lake.uri if self._dataset is None else f"{self._lake.uri}#{self._dataset}"

    def items(self) -> Iterator[Item]:
        """Yield every sample in the order of ids."""
        rows = self._lake.read(SAMPLES, columns=SAMPLE_COLUMNS).sort_by("sample_id").to_pylist()
        for row in rows:
            if self._dataset in {None, row["dataset"]}:
                yield _item(row)

    def facts(self, picture: Picture) -> PictureFacts | Problem:
        """Return what ingest measured."""
        row = self._stored.get(picture.ref.image_id or "")
        if row is None:
            return Problem(Failure.IMAGE_MISSING, f"the lake holds no image {picture.ref.name}")
        return PictureFacts(row["pixel_sha"], bytes.fromhex(row["phash"] or "00" * 32))

    @cached_property
    def _stored(self) -> dict[str, dict[str, Any]]:
        """Return what ingest measured of every picture, by its id."""
        rows = self._lake.read(IMAGES, columns=["image_id", "pixel_sha", "phash"]).to_pylist()
        return {row["image_id"]: row for row in rows}

    def looks(self) -> Iterator[tuple[str, Look]]:
        """Yield what the pictures of the samples look like, in the order of the lake's parts."""
        shown = {picture.ref.image_id for item in self.items() for picture in item.pictures}
        columns = ["image_id", "pixel_sha", "bytes"]
        with ThreadPoolExecutor(DECODE_THREADS, thread_name_prefix="benchmark") as executor:
            for batch in self._lake.scan(IMAGES, columns=columns, batch_rows=BATCH_ROWS):
                rows = [row for row in batch.to_pylist() if row["image_id"] in shown]
                for row, look in zip(rows, executor.map(_look, rows), strict=True):
                    if look is not None:
                        yield row["pixel_sha"], look


def _look(row: dict[str, Any]) -> Look | None:
    try:
        return Look.of(decode(row["bytes"]).rgb)
    except ImageProblem:
        return None


def _item(row: dict[str, Any]) -> Item:
    return Item(
        row["sample_id"],
        question=bare(row["question"]) if row["question"] else None,
        choices=tuple(row["choices"] or ()),
        answers=() if row["answer"] is None else (row["answer"],),
        pictures=tuple(Picture(ImageRef(i, i)) for i in row["image_ids"]),
    )
