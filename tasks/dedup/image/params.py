"""What decides whether two images show the same picture; every field is part of the identity."""

from dataclasses import dataclass
from typing import Final

PAIR_ALGORITHM: Final = "phash256-verified-v2"
"""Name and version of how pairs are decided; goes into `duplicates`."""


@dataclass(frozen=True, slots=True)
class ImageParams:
    """Thresholds of the image tiers.

    Fields:
        max_bits: most bits of 256 two pHashes may differ by to be one picture.
        view_bits: most bits of 64 a picture may differ by from a view of another one.
        looks: charts and documents that one may be compared with, pixel by pixel, and found
            different from before it is kept; bounds the work on pictures drawn from one template.
        finds_views: whether crops and flips are looked for; they are reported, never dropped.
    """

    max_bits: int = 24
    view_bits: int = 8
    looks: int = 32
    finds_views: bool = True
