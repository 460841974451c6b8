"""How large a picture becomes before Depth-Anything V2 sees it, and the identity of that choice.

The rule is the official `lower_bound` resize (Depth-Anything-V2, `depth_anything_v2/util/
transform.py`, class `Resize`): the short side becomes at least `input_px`, the aspect is kept, both
sides are rounded to multiples of 14.  The processor that ships with `transformers` gives about half
the pixels on COCO-sized pictures (ADR 0005).  The official rule has no limit: a panorama of 100 : 1
becomes 136,900 tokens, so long pictures are held to `MAX_ASPECT` and all to `max_tokens`.
"""

import math
from dataclasses import asdict, dataclass
from typing import Final

from sightline.provenance import fingerprint_of
from tasks.vision.pictures import Resample

PATCH: Final = 14
"""Side of one token of DINOv2 in px; 518 = 37 x 14 is the grid of the published weights."""
MAX_ASPECT: Final = 8.0
"""Longer pictures are squeezed to it along their long side."""
TOKENS_PER_SQUARE: Final = 4
"""Default limit of tokens, in squares of `input_px`: pictures up to 4 : 1 are not touched."""

IMAGENET_MEAN: Final = (0.485, 0.456, 0.406)
IMAGENET_STD: Final = (0.229, 0.224, 0.225)

_VERSION: Final = 2


@dataclass(frozen=True, slots=True)
class Preprocessing:
    """All that decides the network's input.

    Attributes:
        input_px: least length of the short side, a multiple of 14.
        max_tokens: most 14 x 14 patches of one picture.
        precision: what the network computes in, bf16 or fp32.
        resample: how pictures change size; the official kernel is part of the official rule.
    """

    input_px: int
    max_tokens: int
    precision: str
    resample: Resample = Resample.OFFICIAL

    def __post_init__(self) -> None:
        """Refuse parameters that fit no picture."""
        _check(self.input_px, self.input_px, self.input_px, self.max_tokens)

    @property
    def preproc_id(self) -> str:
        """Return the fingerprint stored beside each map."""
        constants = [_VERSION, PATCH, MAX_ASPECT, IMAGENET_MEAN, IMAGENET_STD]
        return fingerprint_of([constants, asdict(self)])

    def size(self, width: int, height: int) -> tuple[int, int]:
        """Return (width, height) of the network's input for a picture."""
        return target_size(width, height, self.input_px, self.max_tokens)


def default_max_tokens(input_px: int) -> int:
    """Return the limit of tokens used where the recipe gives none."""
    return TOKENS_PER_SQUARE * (input_px // PATCH) ** 2


def target_size(width: int, height: int, input_px: int, max_tokens: int) -> tuple[int, int]:
    """Return (width, height) in px, both multiples of 14.

    Raises:
        ValueError: `input_px` is no positive multiple of 14, or a picture has no pixels, or
            `max_tokens` does not even allow a square of `input_px`.
    """
    _check(width, height, input_px, max_tokens)
    scale = max(input_px / width, input_px / height)
    limit = MAX_ASPECT * input_px
    wide, high = min(scale * width, limit), min(scale * height, limit)
    size = (_to_patches(wide, input_px), _to_patches(high, input_px))
    if size[0] * size[1] <= max_tokens:
        return (size[0] * PATCH, size[1] * PATCH)
    shrink = math.sqrt(max_tokens / (size[0] * size[1]))
    columns, rows = (max(1, math.floor(side * shrink)) for side in size)
    return (columns * PATCH, rows * PATCH)


def _to_patches(side: float, least_px: int) -> int:
    """Round to patches, half to even as numpy does, but never below `least_px`."""
    patches = round(side / PATCH)
    return patches if patches * PATCH >= least_px else math.ceil(side / PATCH)


def _check(width: int, height: int, input_px: int, max_tokens: int) -> None:
    if input_px <= 0 or input_px % PATCH:
        msg = f"input_px: expected a positive multiple of {PATCH}, found {input_px}"
        raise ValueError(msg)
    if min(width, height) < 1:
        msg = f"expected a picture with pixels, found {width} x {height}"
        raise ValueError(msg)
    if max_tokens < (input_px // PATCH) ** 2:
        msg = f"max_tokens: expected at least {(input_px // PATCH) ** 2}, found {max_tokens}"
        raise ValueError(msg)
