"""The keys of one image, from its bytes: pHash, views, kind.

Luma is decoded at reduced size, which depends on the bytes alone.  The pHash that ingest stored
is of all pixels and is taken as it is; a pHash made here is within 14 bits of it (245 real JPEGs:
median 2, 95 % within 8), so use one way on both sides where the limit is tight.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from infra.images.decode import decode_luma
from infra.images.pixels import phash256
from tasks.image_keys.hashes import phash_bytes
from tasks.image_keys.kind import tones
from tasks.image_keys.views import view_hashes

KEY_ALGORITHM: Final = "phash256-views64-v1"
"""Name and version of `image_keys`; it changes with any value they hold."""
KEEP_SIDE: Final = 160
"""Pixels the shorter side keeps; at 128 single hashes were 24 bits off."""


@dataclass(frozen=True, slots=True, eq=False)
class ImageKey:
    """What one image is compared by.

    Fields:
        phash: 32 bytes; None for a picture without structure.
        view_hashes: int64, one per `VIEWS`.
        is_photo: certainly a photo.
    """

    phash: bytes | None
    view_hashes: npt.NDArray[np.int64]
    is_photo: bool


def image_key(data: bytes, phash_hex: str | None = None) -> ImageKey:
    """Return the keys of an encoded image.

    Args:
        data: the encoded file.
        phash_hex: `images.phash`, where it is known.

    Raises:
        ImageProblem: with the code for `failures`.
    """
    grey = decode_luma(data, KEEP_SIDE)
    phash = phash_bytes(phash_hex or phash256(grey))
    return ImageKey(phash, view_hashes(grey), tones(grey).is_photo)


def quick_phash(data: bytes) -> bytes | None:
    """Return the pHash alone, or None for a picture without structure.

    Raises:
        ImageProblem: with the code for `failures`.
    """
    return phash_bytes(phash256(decode_luma(data, KEEP_SIDE)))
