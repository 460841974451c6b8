"""Hashes of images as words, and which of them say nothing.

A pHash with few bits set is of a picture without structure (one colour, one pixel, a plain
gradient): its bits are noise, and all such pictures would be one.  It is stored as null and takes
part in nothing; equal pixels still find each other.
"""

from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

Words = npt.NDArray[np.uint64]
Flags = npt.NDArray[np.bool_]

PHASH_BYTES: Final = 32
PHASH_BITS: Final = 256
MIN_PHASH_ONES: Final = 48
"""A picture with structure sets 125 to 128 of 256 bits (1,000 photos, 580 charts and documents), a
mirror-symmetric one about 64, a gradient along one side at most 16, one colour at most 1."""
MIN_VIEW_ONES: Final = 12
"""Of 64; a view with structure sets 32."""


def phash_bytes(phash_hex: str) -> bytes | None:
    """Return the 32 bytes of a stored pHash, or None for a picture without structure."""
    raw = bytes.fromhex(phash_hex)
    return raw if int.from_bytes(raw, "big").bit_count() >= MIN_PHASH_ONES else None


def phash_words(column: pa.ChunkedArray) -> tuple[Words, Flags]:
    """Return uint64[n, 4] and bool[n], whether a row has a hash; a row without one is zero."""
    has_hash = column.is_valid().to_numpy()
    raw = b"".join(value or bytes(PHASH_BYTES) for value in column.to_pylist())
    return np.frombuffer(raw, dtype=np.uint64).reshape(-1, PHASH_BYTES // 8), has_hash


def bits_apart(one: str, other: str) -> int:
    """Return in how many bits two hexadecimal hashes differ."""
    return (int(one, 16) ^ int(other, 16)).bit_count()
