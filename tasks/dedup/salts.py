"""Salts: texts meet only where picture, group and protected tokens agree, so these salt the bands.

A salt depends on its row and on the images that stand for its images, on nothing else; so it is the
same whatever else is in the lake, and a stored salted key stays true until one of these changes.
Each distinct text is hashed once, and rows are combined by a kernel.
"""

from collections.abc import Callable, Mapping
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import xxhash

from tasks.dedup.settle.kernels import Ints, Words, frozen
from tasks.text_keys.compiled import compiled
from tasks.text_keys.hashing import BASE, mix

SALT_COLUMNS: Final = ("group_key", "image_ids", "guard_key")

_BASE: Final = np.uint64(BASE)


def salts(rows: pa.Table, stands: Mapping[str, str]) -> npt.NDArray[np.uint64]:
    """Return uint64[n]: rows with one salt are about one picture, in one group, equally guarded.

    Args:
        rows: `SALT_COLUMNS` of `text_keys`.
        stands: the image that stands for an image, where it is another one.
    """
    lengths = pc.fill_null(pc.list_value_length(rows["image_ids"]), 0).to_numpy()
    images = pc.list_flatten(rows["image_ids"])
    found: npt.NDArray[np.uint64] = _salts(
        frozen(_hashed(rows["group_key"], lambda group: group), np.uint64),
        frozen(rows["guard_key"].to_numpy().view(np.uint64), np.uint64),
        frozen(np.concatenate([[0], np.cumsum(lengths)]), np.int64),
        frozen(_hashed(images, lambda image: stands.get(image, image)), np.uint64),
    )
    return found


def _hashed(texts: pa.ChunkedArray, named: Callable[[str], str]) -> npt.NDArray[np.uint64]:
    """Return uint64[n]: a hash of what each text is `named`; null is empty."""
    hashes = [np.empty(0, np.uint64)]
    for chunk in pc.fill_null(texts, "").chunks:
        encoded = chunk.dictionary_encode()
        names = (named(text).encode() for text in encoded.dictionary.to_pylist())
        values = [xxhash.xxh3_64_intdigest(name) for name in names]
        hashes.append(np.array(values, np.uint64)[encoded.indices.to_numpy()])
    return np.concatenate(hashes)


@compiled
def _salts(groups: Words, guards: Words, offsets: Ints, images: Words) -> Words:
    """Hash group, guard, number of images and the images in their order."""
    found = np.empty(len(groups), np.uint64)
    for row in range(len(groups)):
        state = mix(mix(groups[row] + _BASE) ^ guards[row])
        state = mix(state * _BASE + np.uint64(offsets[row + 1] - offsets[row]))
        for place in range(offsets[row], offsets[row + 1]):
            state = mix(state * _BASE + images[place])
        found[row] = state
    return found
