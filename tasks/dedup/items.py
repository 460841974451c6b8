"""Images with their keys as the rows that are compared, in order of priority: the lowest id first.

An image stands only for its picture, nothing of it is dropped; so its priority needs no verdict.
"""

from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from tasks.dedup.image.duplicates import ITEM_COLUMNS

IMAGE_COLUMNS: Final = ("image_id", "pixel_sha", "phash", "parent_image_id", "part")
KEY_COLUMNS: Final = ("image_id", "phash", "view_hashes", "view_names", "is_photo")


def image_items(images: pa.Table, keys: pa.Table) -> pa.Table:
    """Return `ITEM_COLUMNS` of whole images, by id; what an image has no key for is null.

    Args:
        images: `IMAGE_COLUMNS`; crops, which have a parent, are left out.
        keys: `KEY_COLUMNS` of `image_keys`.
    """
    whole = images.filter(pc.is_null(images["parent_image_id"])).sort_by("image_id")
    place = {image: row for row, image in enumerate(keys["image_id"].to_pylist())}
    rows = pa.array([place.get(i) for i in whole["image_id"].to_pylist()], pa.int64())
    found = keys.take(rows)
    columns = [
        whole[name] if name in {"image_id", "pixel_sha"} else found[name] for name in ITEM_COLUMNS
    ]
    return pa.table(columns, names=list(ITEM_COLUMNS))
