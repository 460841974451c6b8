"""The `relations` table: how the objects of a picture stand to each other.

One row for each ordered pair and kind that holds, and always its inverse: `a left_of b` comes with
`b right_of a`, with the same margin and status.  An exact tie gives both directions, ambiguous.
A difference decides only if it exceeds a least margin and half the mean spread: of depth the
interquartile range, of a box half its side, which is the interquartile range of an even spread.
Pairs in which one box lies in the other, or nearly all of one mask in the other, are dropped: a
part is not beside or before its whole.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from infra.images.masks import overlap_shares
from sightline.schemas import RELATIONS
from tasks.ground.regions import DepthStatus
from tasks.ground.rules import GroundParams

Reals = npt.NDArray[np.float64]
Pairs = npt.NDArray[np.bool_]

DECIDED: Final = "decided"
AMBIGUOUS: Final = "ambiguous"
CONTAINS_SLACK: Final = 1e-6
ROUNDING: Final = 1e-9
"""A difference of exactly the margin decides nothing, in a picture and in its mirror image."""


@dataclass(frozen=True, slots=True)
class _Axis:
    """One question about a pair: by how much does the first lead the second?

    Attributes:
        leads: kind that holds where the first has the greater value.
        trails: its inverse.
        values: (n,) value of each object.
        spreads: (n,) interquartile range of each object along the axis.
        least: least difference that decides.
        is_known: (n,) whether the object has a value.
    """

    leads: str
    trails: str
    values: Reals
    spreads: Reals
    least: float
    is_known: Pairs


def relations_of(objects: pa.Table, params: GroundParams | None = None) -> pa.Table:
    """Return `relations` payload rows, ordered by image, subject, object and kind.

    Args:
        objects: `objects` rows of whole pictures, in any order.
        params: the numbers that decide.
    """
    rules = params or GroundParams()
    ordered = objects.sort_by([("image_id", "ascending"), ("object_id", "ascending")])
    tables = [_of_picture(picture, rules) for picture in _pictures(ordered)]
    return pa.concat_tables([RELATIONS.empty(), *tables])


def _pictures(ordered: pa.Table) -> Iterator[pa.Table]:
    """Yield the rows of each picture of a table sorted by `image_id`."""
    counts = pc.value_counts(ordered["image_id"].combine_chunks())
    start = 0
    for count in counts.field("counts").to_pylist():
        yield ordered.slice(start, count)
        start += count


def _of_picture(objects: pa.Table, params: GroundParams) -> pa.Table:
    allowed = comparable(objects, params)
    found = pa.concat_tables(
        [_held(axis, allowed, params) for axis in _axes(objects, params)]
    ).sort_by([("subject", "ascending"), ("other", "ascending"), ("kind", "ascending")])
    ids = objects["object_id"].combine_chunks()
    image_id = objects["image_id"][0].as_py()
    columns = [
        pa.repeat(pa.scalar(image_id, pa.string()), found.num_rows),
        ids.take(found["subject"].combine_chunks()),
        ids.take(found["other"].combine_chunks()),
        *(found[name].combine_chunks() for name in ("kind", "margin", "status")),
    ]
    return pa.Table.from_arrays(columns, schema=RELATIONS.payload)


def comparable(objects: pa.Table, params: GroundParams) -> Pairs:
    """Return (n, n), true where two different objects of one picture may stand in a relation."""
    boxes = _boxes(objects)
    low, high = boxes[:, None, :], boxes[None, :, :]
    starts_before = (low[..., :2] <= high[..., :2] + CONTAINS_SLACK).all(axis=2)
    ends_after = (low[..., 2:] >= high[..., 2:] - CONTAINS_SLACK).all(axis=2)
    contains = starts_before & ends_after  # an object contains itself
    contains |= _lies_within(objects, params).T
    is_large = _reals(objects, "area_px") >= params.min_area_px
    return is_large[:, None] & is_large[None, :] & ~contains & ~contains.T


def _lies_within(objects: pa.Table, params: GroundParams) -> Pairs:
    """Return (n, n), true where nearly all of one mask lies in another one on the same grid."""
    widths, heights = _reals(objects, "mask_width"), _reals(objects, "mask_height")
    if len(set(zip(widths, heights, strict=True))) > 1:
        return np.zeros((len(widths), len(widths)), dtype=np.bool_)
    counts = objects["mask_rle"].to_pylist()
    return overlap_shares(counts, int(widths[0]), int(heights[0])) >= params.contained_share


def _boxes(objects: pa.Table) -> Reals:
    return np.asarray(objects["box"].to_pylist(), dtype=np.float64).reshape(-1, 4)


def _axes(objects: pa.Table, params: GroundParams) -> list[_Axis]:
    boxes = _boxes(objects)
    centres, halves = (boxes[:, :2] + boxes[:, 2:]) / 2, (boxes[:, 2:] - boxes[:, :2]) / 2
    has_depth = holds_depth(objects)
    everywhere, gap = np.ones(len(boxes), dtype=np.bool_), params.min_gap_frac
    depth, spread = _reals(objects, "depth_median"), _reals(objects, "depth_iqr")
    return [
        _Axis("left_of", "right_of", -centres[:, 0], halves[:, 0], gap, everywhere),
        _Axis("above", "below", -centres[:, 1], halves[:, 1], gap, everywhere),
        _Axis("in_front_of", "behind", depth, spread, params.min_depth_margin, has_depth),
    ]


def _held(axis: _Axis, allowed: Pairs, params: GroundParams) -> pa.Table:
    """Return (subject, other, kind, margin, status) of every pair that the axis orders."""
    lead, decides = leads(axis.values, axis.spreads, axis.least, params)
    known = allowed & axis.is_known[:, None] & axis.is_known[None, :]
    first, second = np.nonzero(known & (lead >= 0))
    margin = lead[first, second]
    status = np.where(decides[first, second], DECIDED, AMBIGUOUS)
    count = len(first)
    return pa.table(
        {
            "subject": np.concatenate([first, second]),
            "other": np.concatenate([second, first]),
            "kind": pa.array([axis.leads] * count + [axis.trails] * count, pa.string()),
            "margin": np.concatenate([margin, margin]),
            "status": pa.array(np.concatenate([status, status]).tolist(), pa.string()),
        }
    )


def holds_depth(objects: pa.Table) -> Pairs:
    """Return (n,), true for objects that may stand before or behind others."""
    return np.asarray(pc.equal(objects["depth_status"], DepthStatus.OK.value), dtype=np.bool_)


def leads(values: Reals, spreads: Reals, least: float, params: GroundParams) -> tuple[Reals, Pairs]:
    """Return by how much each object leads each other one, and whether that decides.

    Args:
        values: (..., n) of each object along one axis.
        spreads: (..., n) interquartile range of each object along it.
        least: difference that a lead must exceed to decide.
        params: the share of the mean spread that it must exceed as well.

    Returns:
        (..., n, n) each; the first object's value less the second's.
    """
    lead = values[..., :, None] - values[..., None, :]
    mean_spread = (spreads[..., :, None] + spreads[..., None, :]) / 2
    return lead, lead > np.maximum(least, params.spread_share * mean_spread) + ROUNDING


def _reals(objects: pa.Table, column: str) -> Reals:
    """Return a column as float64, null as NaN."""
    return np.asarray(objects[column].cast(pa.float64()).to_numpy(), dtype=np.float64)
