"""A row of `depth_maps` from the values of a map, as the worker writes it."""

from typing import Any

import numpy as np

from infra.images.depth_codec import Direction, encode_depth


def depth_row(
    values: np.ndarray, direction: Direction = Direction.LARGER_NEARER, image_id: str = "a"
) -> dict[str, Any]:
    stored = encode_depth(values.astype(np.float32), direction)
    return {
        "image_id": image_id,
        "model": "test",
        "depth": stored.png,
        "width": stored.width,
        "height": stored.height,
        "lo": stored.lo,
        "hi": stored.hi,
        "p2": stored.p2,
        "p98": stored.p98,
        "kind": "relative" if direction is Direction.LARGER_NEARER else "metric",
        "direction": direction.value,
        "status": "flat" if stored.is_flat else "ok",
        "preproc_id": "0",
        "weights_sha": "0",
        "licence": None,
    }
