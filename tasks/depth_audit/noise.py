"""What smooth noise of a known size does to the depth relations of one picture.

Estimates err by whole regions, not by pixels, so the noise is white noise smoothed by a Gaussian
and brought back to the wanted standard deviation.  It is added to nearness; medians, spreads and
decisions are then made by the code that made the picture's relations.  One field serves all levels
of a draw: a larger level is the same error, larger.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import cv2
import numpy as np
import numpy.typing as npt
import pyarrow as pa
from scipy.ndimage import gaussian_filter

from infra.images.masks import decode_mask
from sightline.schemas import DEPTH_MAPS, SEGMENTS
from tasks.depth_audit.flips import FlipCounts, Orders
from tasks.depth_audit.params import NoiseParams
from tasks.depth_audit.tables import payload
from tasks.ground.build import objects_of
from tasks.ground.regions import core_of, field_of
from tasks.ground.relations import comparable, holds_depth, leads
from tasks.ground.rules import GroundParams

Row = Mapping[str, Any]
Reals = npt.NDArray[np.float64]
Nearness = npt.NDArray[np.float32]

CELLS: Final = 3.0
"""Standard deviation of the Gaussian in cells of the coarse grid that the noise is made on."""
MAX_PIXELS: Final = 2_048
"""Pixels of one object that its quantiles are taken over; more change them by less than 0.003."""
QUARTILES: Final = (25, 50, 75)


@dataclass(frozen=True, slots=True)
class Region:
    """The pixels that stand for one object: places on the mask's grid and their nearness."""

    places: npt.NDArray[np.int64]
    near: Nearness


def disturbed(
    segments: Sequence[Row], depth_map: Row, ground: GroundParams, params: NoiseParams
) -> FlipCounts:
    """Return how the relations of one picture fare under noise.

    Args:
        segments: its `segments` rows.
        depth_map: its `depth_maps` row.
        ground: the rule that decides.
        params: how large and how smooth the noise is.
    """
    counts = FlipCounts.none(params.levels)
    objects = objects_of(
        payload(SEGMENTS, segments), payload(DEPTH_MAPS, [depth_map]), ground
    ).table
    holds = holds_depth(objects)
    objects = objects.filter(pa.array(holds))
    grids = set(
        zip(objects["mask_width"].to_pylist(), objects["mask_height"].to_pylist(), strict=True)
    )
    if objects.num_rows < 2 or len(grids) != 1:  # noqa: PLR2004 - a pair
        return counts
    (width, height) = grids.pop()
    regions = _regions(objects, field_of(dict(depth_map), width, height).near, ground)
    known = np.triu(comparable(objects, ground), k=1)
    before = _orders(regions, np.zeros((1, height * width), np.float32), [0.0], ground)
    for field in noise_fields(depth_map["image_id"], height, width, params):
        after = _orders(regions, field.reshape(1, -1), params.levels, ground)
        counts += FlipCounts.between(params.levels, before, after, known)
    return counts


def noise_fields(image_id: str, height: int, width: int, params: NoiseParams) -> Iterator[Nearness]:
    """Yield the noise of one picture, (height, width) of mean 0 and standard deviation 1."""
    rng = picture_rng(params.seed, image_id)
    for _ in range(params.draws):
        yield smooth_noise(rng, height, width, params.correlation)


def picture_rng(seed: int, item_id: str) -> np.random.Generator:
    """Return random numbers that only the seed and the picture decide, not its place in a run."""
    return np.random.default_rng([seed, *item_id.encode()])


def smooth_noise(rng: np.random.Generator, height: int, width: int, correlation: float) -> Nearness:
    """Return (height, width) normal noise of standard deviation 1, smooth over `correlation`.

    Args:
        rng: draws it.
        height: px.
        width: px.
        correlation: standard deviation of the smoothing Gaussian, a share of the short side.
    """
    cell = max(1.0, correlation * min(height, width) / CELLS)
    rows, columns = math.ceil(height / cell) + 1, math.ceil(width / cell) + 1
    rim = math.ceil(4 * CELLS)  # where the filter reaches beyond the grid
    white = rng.standard_normal((rows + 2 * rim, columns + 2 * rim))
    smooth = gaussian_filter(white, CELLS)[rim:-rim, rim:-rim]
    smooth *= 2 * math.sqrt(math.pi) * CELLS  # the filter leaves 1 / (2 sqrt(pi) s) of a plane
    whole = cv2.resize(
        smooth.astype(np.float32),
        (math.ceil(columns * cell), math.ceil(rows * cell)),
        interpolation=cv2.INTER_LINEAR,
    )
    return np.asarray(whole[:height, :width], dtype=np.float32)


def _regions(objects: pa.Table, near: Nearness, ground: GroundParams) -> list[Region]:
    flat = near.ravel()
    regions = []
    for row in objects.select(["mask_rle", "mask_width", "mask_height"]).to_pylist():
        mask = decode_mask(row["mask_rle"], row["mask_width"], row["mask_height"])
        places = np.flatnonzero(core_of(mask, ground))
        places = places[:: max(1, -(-len(places) // MAX_PIXELS))]
        regions.append(Region(places, flat[places]))
    return regions


def _orders(
    regions: Sequence[Region], field: Nearness, levels: Sequence[float], ground: GroundParams
) -> Orders:
    """Return medians, leads and decisions for each level of one field, (1, H * W)."""
    sizes = np.asarray(levels, dtype=np.float32)[:, None]
    quartiles = np.stack(
        [
            np.percentile(region.near + sizes * field[:, region.places], QUARTILES, axis=1)
            for region in regions
        ],
        axis=-1,
    )
    low, medians, high = quartiles
    lead, decides = leads(medians, high - low, ground.min_depth_margin, ground)
    return Orders(medians, lead, decides)
