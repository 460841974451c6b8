"""What the settling tasks read of the lake, and how that enters their fingerprints."""

from collections.abc import Mapping, Sequence
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from infra.lake.lake import Lake
from sightline.schemas import DUPLICATES, IMAGES, Contract
from tasks.dedup.image.duplicates import ReadBytes, picture_of

PICTURES_PART: Final = "images"
SAMPLES_PART: Final = "samples"
CHAINS_PART: Final = "chains"
"""Parts of `duplicates`, one per kind: a cluster may span any parts of the lake."""


def inputs_of(lake: Lake, wanted: Mapping[Contract, Sequence[str]]) -> list[str]:
    """Return the fingerprints of the parts that are read; a part without rows adds nothing."""
    return [
        f"{part.table}/{part.part}/{part.fingerprint}"
        for contract, names in wanted.items()
        for part in lake.parts(contract)
        if part.part in set(names)
    ]


def rows_of(lake: Lake, contract: Contract, names: Sequence[str]) -> int:
    """Return how many rows parts hold."""
    return sum(part.rows for part in lake.parts(contract) if part.part in set(names))


def stands(lake: Lake) -> dict[str, str]:
    """Return the image that stands for an image, where it is another one."""
    return picture_of(lake.read(DUPLICATES, parts=[PICTURES_PART]).select(DUPLICATES.payload.names))


def stored_images(lake: Lake, homes: Mapping[str, str]) -> ReadBytes:
    """Return a reader of stored images.

    Args:
        lake: where they are.
        homes: the part of `images` that holds an image.
    """

    def read(image_ids: Sequence[str]) -> dict[str, bytes]:
        parts = sorted({homes[image] for image in image_ids if image in homes})
        wanted = pc.field("image_id").isin(pa.array(sorted(image_ids), pa.string()))
        rows = lake.read(IMAGES, parts=parts, columns=["image_id", "bytes"], where=wanted)
        return dict(zip(rows["image_id"].to_pylist(), rows["bytes"].to_pylist(), strict=True))

    return read
