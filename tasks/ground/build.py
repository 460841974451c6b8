"""The `objects` table: masks and depth of the same pictures brought together.

Both tables may hold any set of whole pictures, in any order: pictures are matched by id.  A picture
with masks and no depth keeps its objects, marked `missing`; either lack is a row in `failures`.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from infra.images.masks import decode_mask
from infra.pool.workers import RowFailure
from sightline.errors import ContractError, Failure
from sightline.schemas import OBJECTS
from tasks.ground.regions import DepthField, DepthStatus, facts_of, field_of
from tasks.ground.rules import GroundParams

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class GroundObjects:
    """Payload rows of `objects`, ordered by image and object, and what was lacking."""

    table: pa.Table
    failures: tuple[RowFailure, ...]


def objects_of(
    segments: pa.Table, depth_maps: pa.Table, params: GroundParams | None = None
) -> GroundObjects:
    """Return one object for every segment.

    Args:
        segments: `segments` rows.
        depth_maps: `depth_maps` rows of the same pictures, one model only.
        params: the numbers that decide.

    Raises:
        ContractError: a picture has more than one depth map.
    """
    rules = params or GroundParams()
    maps = _by_image(depth_maps)
    masks = _by_image(segments)
    several = sorted(image_id for image_id, rows in maps.items() if len(rows) > 1)
    if several:
        msg = f"expected one depth map a picture, found more for {several[:3]}; pick one model"
        raise ContractError(msg)
    rows = [
        row
        for image_id in sorted(masks)
        for row in _objects(masks[image_id], next(iter(maps.get(image_id, ())), None), rules)
    ]
    return GroundObjects(OBJECTS.rows(rows), tuple(_lacks(set(masks), set(maps))))


def _objects(segments: list[Row], depth_map: Row | None, params: GroundParams) -> Iterator[Row]:
    fields: dict[tuple[int, int], DepthField | None] = {}
    for segment in sorted(segments, key=lambda row: int(row["segment_id"])):
        grid = (segment["mask_width"], segment["mask_height"])
        if grid not in fields:
            fields[grid] = field_of(depth_map, *grid) if depth_map else None
        yield _object(segment, fields[grid], params)


def _object(segment: Row, field: DepthField | None, params: GroundParams) -> Row:
    mask = decode_mask(segment["mask_rle"], segment["mask_width"], segment["mask_height"])
    facts = facts_of(mask, segment["category"], field, params)
    kept = ("image_id", "category", "box", "area_px", "mask_rle", "mask_width", "mask_height")
    return {name: segment[name] for name in kept} | {
        "object_id": segment["segment_id"],
        "score": segment["score"],
        "depth_median": facts.median,
        "depth_p10": facts.p10,
        "depth_p90": facts.p90,
        "depth_iqr": facts.iqr,
        "depth_status": facts.status.value,
    }


def _lacks(with_masks: set[str], with_depth: set[str]) -> Iterator[RowFailure]:
    for image_id in sorted(with_masks - with_depth):
        detail = f"objects are kept with depth_status {DepthStatus.MISSING.value!r}"
        yield RowFailure(image_id, Failure.DEPTH_MISSING, detail)
    for image_id in sorted(with_depth - with_masks):
        detail = "the segmenter found nothing that is no background"
        yield RowFailure(image_id, Failure.SEGMENT_MISSING, detail)


def _by_image(table: pa.Table) -> dict[str, list[Row]]:
    grouped: dict[str, list[Row]] = {}
    for row in table.to_pylist():
        grouped.setdefault(row["image_id"], []).append(row)
    return grouped
