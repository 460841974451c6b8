"""Rows of `segments` and `depth_maps` for pictures made of rectangles."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from infra.images.depth_codec import Direction
from infra.images.masks import encode_mask
from sightline.schemas import DEPTH_MAPS, SEGMENTS
from tests.depth_rows import depth_row

Rect = tuple[int, int, int, int]
WIDTH, HEIGHT = 128, 96


def mask_of(rect: Rect, width: int = WIDTH, height: int = HEIGHT) -> np.ndarray:
    mask = np.zeros((height, width), dtype=np.bool_)
    x0, y0, x1, y1 = rect
    mask[y0:y1, x0:x1] = True
    return mask


def segments(masks: Sequence[np.ndarray], image_id: str = "a", category: str = "box") -> pa.Table:
    return SEGMENTS.rows(
        segment_row(mask, number, image_id, category) for number, mask in enumerate(masks, 1)
    )


def segment_row(mask: np.ndarray, number: int, image_id: str, category: str) -> Mapping[str, Any]:
    height, width = mask.shape
    ys, xs = np.nonzero(mask)
    box = [xs.min() / width, ys.min() / height, (xs.max() + 1) / width, (ys.max() + 1) / height]
    return {
        "image_id": image_id,
        "segment_id": number,
        "model": "test",
        "category": category,
        "score": 1.0,
        "box": [float(side) for side in box],
        "area_px": len(xs),
        "mask_rle": encode_mask(mask),
        "mask_width": width,
        "mask_height": height,
        "weights_sha": "0",
    }


def depth_map(
    values: np.ndarray, image_id: str = "a", direction: Direction = Direction.LARGER_NEARER
) -> pa.Table:
    return DEPTH_MAPS.rows([depth_row(values, direction, image_id)])


def painted(rects: Sequence[Rect], depths: Sequence[float], ground: float = 1.0) -> np.ndarray:
    """A map with a sloped ground and a constant depth per rectangle."""
    values = np.tile(np.linspace(ground, ground + 2, HEIGHT)[:, None], (1, WIDTH))
    for (x0, y0, x1, y1), depth in zip(rects, depths, strict=True):
        values[y0:y1, x0:x1] = depth
    return values
