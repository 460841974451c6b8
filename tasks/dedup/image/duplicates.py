"""Image clusters as `duplicates` rows: equal pixels, equal pHash, and verified crops and flips.

    rows = image_duplicates(items, read, ImageParams())
    kept = picture_of(rows)          # image_id -> the image that stands for its picture

Pixels and pHash say "the same picture" and may drop; a crop moves every box and a flip swaps left
and right, so those are reported only.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Final

import pyarrow as pa

from tasks.dedup.image.params import ImageParams

ITEM_COLUMNS: Final = ("image_id", "pixel_sha", "phash", "view_hashes", "view_names", "is_photo")
"""Columns of one whole image, `images` joined with `image_keys`, in order of priority."""

ReadBytes = Callable[[Sequence[str]], Mapping[str, bytes]]
"""Returns the stored bytes of the image ids asked for; they are few: candidates only."""


def image_duplicates(items: pa.Table, read: ReadBytes, params: ImageParams) -> pa.Table:
    """Return `duplicates` payload rows, members and the kept ones alike.

    Args:
        items: `ITEM_COLUMNS`; the first row has the highest priority (is kept before the others).
        read: see `ReadBytes`.
        params: thresholds.
    """
    raise NotImplementedError


def picture_of(duplicates: pa.Table) -> dict[str, str]:
    """Return the kept image of every image in a cluster that may drop; others stand for themselves.

    Args:
        duplicates: rows of `image_duplicates`, other methods and kinds allowed.
    """
    raise NotImplementedError
