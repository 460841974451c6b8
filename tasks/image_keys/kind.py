"""Photo or not: which evidence is enough to call two images one picture.

Two photos within the pHash limit are the same picture (0 of 499,500 pairs of different ones); two
charts, tables, maps or puzzles drawn from one template may be within it and say different things.
So "photo" must be certain, and every doubt means the stricter comparison.  Measured on luma at
about 256 px: photos use most grey levels (entropy 7.0-7.6 bits; charts, forms, tables and puzzles
below 5.7, photographed receipts up to 6.2), have no dominant tone and few flat places.
"""

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from infra.images.pixels import luma

RGB = npt.NDArray[np.uint8]

SIDE: Final = 256
MIN_ENTROPY_BITS: Final = 6.2
MAX_PAPER_SHARE: Final = 0.35
MAX_FLAT_SHARE: Final = 0.75
_FLAT_STEP: Final = 2
_PAPER_TONES: Final = 9


@dataclass(frozen=True, slots=True)
class Tones:
    """What a picture's tones look like.

    Fields:
        entropy: of the grey levels, 0..8 bits.
        paper_share: of pixels within 4 grey levels of the most common tone.
        flat_share: of pixels whose right and lower neighbours differ by at most 2 grey levels.
    """

    entropy: float
    paper_share: float
    flat_share: float

    @property
    def is_photo(self) -> bool:
        """Return whether this is certainly a photo."""
        return (
            self.entropy >= MIN_ENTROPY_BITS
            and self.paper_share <= MAX_PAPER_SHARE
            and self.flat_share <= MAX_FLAT_SHARE
        )


def tones(pixels: RGB) -> Tones:
    """Return the statistics of (H, W, 3) RGB or (H, W) luma of any size."""
    grey = luma(pixels)
    height, width = grey.shape
    step = max(1, round(max(height, width) / SIDE))
    size = (max(2, width // step), max(2, height // step))
    grey = np.asarray(cv2.resize(grey, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)
    counts = np.bincount(grey.ravel(), minlength=256)
    shares = counts[counts > 0] / grey.size
    levels = grey.astype(np.int16)
    is_flat = np.abs(np.diff(levels, axis=1))[:-1] <= _FLAT_STEP
    is_flat &= np.abs(np.diff(levels, axis=0))[:, :-1] <= _FLAT_STEP
    return Tones(
        entropy=float(-(shares * np.log2(shares)).sum()),
        paper_share=float(np.convolve(counts, np.ones(_PAPER_TONES)).max() / grey.size),
        flat_share=float(is_flat.mean()),
    )
