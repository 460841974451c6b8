"""Which parts of the lake belong to a dataset, and what each part's samples need.

Samples may refer to images of other parts (a question appended later on an old image), so what a
part's chains wait for is read from the lake, not assumed.
"""

import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from infra.lake.lake import Lake
from sightline.schemas import DUPLICATES, IMAGES, SAMPLES
from tasks.distill.live import PartInputs


@dataclass(frozen=True, slots=True)
class DatasetParts:
    """The parts of one dataset.

    Attributes:
        samples: parts of `samples`.
        images: parts of `images` that hold images of this dataset's source.
    """

    samples: tuple[str, ...]
    images: tuple[str, ...]


def source_parts(lake: Lake, dataset: str | None = None) -> DatasetParts:
    """Return the ingested parts of `dataset`, or of all; crops of chains are no part of them."""
    slug = r"[a-z0-9][a-z0-9-]*" if dataset is None else re.escape(dataset)
    name = re.compile(rf"{slug}-[0-9a-f]{{8}}")
    samples, images = (
        tuple(p.part for p in lake.parts(table) if name.fullmatch(p.part))
        for table in (SAMPLES, IMAGES)
    )
    return DatasetParts(samples, images)


def inputs_of(lake: Lake, parts: Iterable[str]) -> dict[str, PartInputs]:
    """Return what the chains of each part are made from."""
    wanted = list(parts)
    everywhere = source_parts(lake).images
    homes = lake.read(IMAGES, parts=everywhere, columns=["image_id", "part"])
    home = dict(zip(homes["image_id"].to_pylist(), homes["part"].to_pylist(), strict=True))
    dropped_ids = _dropped_samples(lake)
    image_parts: dict[str, set[str]] = defaultdict(set)
    dropped: dict[str, set[str]] = defaultdict(set)
    columns = ["sample_id", "image_ids", "part"]
    for batch in lake.scan(SAMPLES, parts=wanted, columns=columns):
        for row in batch.to_pylist():
            image_parts[row["part"]].update(home[i] for i in row["image_ids"] if i in home)
            if row["sample_id"] in dropped_ids:
                dropped[row["part"]].add(row["sample_id"])
    return {
        part: PartInputs(tuple(sorted(image_parts[part])), frozenset(dropped[part]))
        for part in wanted
    }


def _dropped_samples(lake: Lake) -> set[str]:
    rows = lake.read(DUPLICATES, columns=["item_id", "item_kind", "kept_id"]).to_pylist()
    return {
        row["item_id"]
        for row in rows
        if row["item_kind"] == "sample" and row["item_id"] != row["kept_id"]
    }
