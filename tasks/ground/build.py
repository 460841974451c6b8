"""The `objects` table: masks and depth of the same pictures brought together.

Both tables may hold any set of whole pictures, in any order: pictures are matched by id.  A picture
with masks and no depth keeps its objects, marked `missing`; either lack is a row in `failures`.
Ranks count the objects whose depth holds: an object without depth has none and moves none.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa

from infra.images.masks import decode_mask, overlap_shares
from infra.pool.workers import RowFailure
from sightline.errors import ContractError, Failure
from sightline.schemas import OBJECTS
from tasks.ground.regions import (
    DepthFacts,
    DepthField,
    DepthStatus,
    facts_of,
    field_of,
    is_reflective,
)
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


def _objects(segments: list[Row], depth_map: Row | None, params: GroundParams) -> list[Row]:
    """Return the objects of one picture, ranked."""
    ordered = sorted(segments, key=lambda row: int(row["segment_id"]))
    facts = _facts(ordered, depth_map, params)
    ranks = depth_ranks(facts)
    return [_object(*each) for each in zip(ordered, facts, ranks, strict=True)]


def _facts(
    segments: Sequence[Row], depth_map: Row | None, params: GroundParams
) -> list[DepthFacts]:
    fields: dict[tuple[int, int], DepthField | None] = {}
    found = []
    for segment in segments:
        grid = (segment["mask_width"], segment["mask_height"])
        if grid not in fields:
            fields[grid] = field_of(depth_map, *grid) if depth_map else None
        mask = decode_mask(segment["mask_rle"], *grid)
        found.append(facts_of(mask, segment["category"], fields[grid], params))
    for number in _within_glass(segments, params):
        if found[number].status in {DepthStatus.OK, DepthStatus.TOO_SMALL}:
            found[number] = replace(found[number], status=DepthStatus.REFLECTIVE)
    return found


def _within_glass(segments: Sequence[Row], params: GroundParams) -> Iterator[int]:
    """Yield the segments that lie mostly within the mask of glass or of a mirror.

    Masks that compete for pixels never overlap; those of promptable models do.
    """
    shows = np.asarray([is_reflective(segment["category"]) for segment in segments])
    grids = {(segment["mask_width"], segment["mask_height"]) for segment in segments}
    if not shows.any() or len(grids) > 1:
        return
    inside = overlap_shares([segment["mask_rle"] for segment in segments], *grids.pop())
    held = (inside[:, shows] >= params.reflective_share).any(axis=1) & ~shows
    yield from np.flatnonzero(held).tolist()


def depth_ranks(facts: Sequence[DepthFacts]) -> list[int | None]:
    """Return each object's rank by nearness, 1 nearest; equal medians share the smaller rank.

    Objects whose depth does not hold have none.
    """
    ranks: list[int | None] = [None] * len(facts)
    holds = [i for i, fact in enumerate(facts) if fact.status is DepthStatus.OK]
    medians = np.array([-(facts[i].median or 0.0) for i in holds])
    nearer = np.searchsorted(np.sort(medians), medians)
    for i, count in zip(holds, nearer.tolist(), strict=True):
        ranks[i] = 1 + count
    return ranks


def _object(segment: Row, facts: DepthFacts, rank: int | None) -> Row:
    kept = ("image_id", "category", "box", "area_px", "mask_rle", "mask_width", "mask_height")
    return {name: segment[name] for name in kept} | {
        "object_id": segment["segment_id"],
        "score": segment["score"],
        "depth_median": facts.median,
        "depth_p10": facts.p10,
        "depth_p90": facts.p90,
        "depth_iqr": facts.iqr,
        "depth_status": facts.status.value,
        "depth_rank": rank,
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
