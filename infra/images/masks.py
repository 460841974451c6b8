"""Masks as COCO compressed run lengths: how `segments` and `objects` store them.

Run lengths go down the columns, as COCO counts them, and `counts` is ASCII text.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from pycocotools import mask as coco

Mask = npt.NDArray[np.bool_]
Shares = npt.NDArray[np.float64]


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


def overlap_shares(counts: Sequence[str], width: int, height: int) -> Shares:
    """Return (n, n): the share of each mask that lies within each other one.

    A mask without pixels lies in nothing.
    """
    if not counts:
        return np.zeros((0, 0))
    masks = [{"size": [height, width], "counts": each.encode("ascii")} for each in counts]
    is_crowd = [1] * len(masks)  # COCO divides by the first mask's area where the second is a crowd
    return np.nan_to_num(np.asarray(coco.iou(masks, masks, is_crowd), dtype=np.float64))
