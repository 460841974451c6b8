"""Masks as COCO compressed run lengths: how `segments` and `objects` store them.

Run lengths go down the columns, as COCO counts them, and `counts` is ASCII text.
"""

import numpy as np
import numpy.typing as npt
from pycocotools import mask as coco

Mask = npt.NDArray[np.bool_]


def encode_mask(mask: Mask) -> str:
    """Return the compressed counts of an (H, W) mask."""
    counts: bytes = coco.encode(np.asfortranarray(mask, dtype=np.uint8))["counts"]
    return counts.decode("ascii")


def decode_mask(counts: str, width: int, height: int) -> Mask:
    """Return the (H, W) mask.

    Raises:
        ValueError: `counts` does not describe a `width` x `height` mask.
    """
    encoded = {"size": [height, width], "counts": counts.encode("ascii")}
    return np.asarray(coco.decode(encoded), dtype=np.bool_)
