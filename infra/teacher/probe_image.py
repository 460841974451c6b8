"""The picture of the probe: four coloured squares in a row, and the names of their colours.

Whoever sees it can say the colours; whoever does not can only guess, and guesses three of four
right in about 1 of 100 tries.  The colours are far apart, so that scaling and JPEG recompression
at an endpoint do not turn one into another.
"""

import random
from collections.abc import Mapping, Sequence
from io import BytesIO
from types import MappingProxyType
from typing import Final

import numpy as np
from PIL import Image

Colour = tuple[int, int, int]

COLOURS: Final[Mapping[str, Colour]] = MappingProxyType(
    {
        "red": (220, 20, 20),
        "green": (20, 150, 40),
        "blue": (30, 60, 220),
        "yellow": (250, 225, 30),
        "black": (0, 0, 0),
        "white": (255, 255, 255),
        "orange": (255, 140, 0),
        "purple": (130, 30, 160),
    }
)
"""RGB of each colour by its name."""

SQUARES: Final = 4
SIDE_PX: Final = 64
"""64 px is more than one patch of every vision tower seen so far (14 to 32 px)."""
QUESTION: Final = (
    "The image shows four coloured squares in a row. Name their colours from left to right. "
    f"Use these words only: {', '.join(COLOURS)}. Answer with the four words, nothing else."
)


def choose_colours(rng: random.Random) -> tuple[str, ...]:
    """Return four different colour names, left to right."""
    return tuple(rng.sample(sorted(COLOURS), SQUARES))


def render(names: Sequence[str]) -> bytes:
    """Return a PNG of squares in these colours, 64 px a side, left to right."""
    row = np.array([[COLOURS[name] for name in names]], dtype=np.uint8)
    pixels = row.repeat(SIDE_PX, axis=0).repeat(SIDE_PX, axis=1)
    buffer = BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def nearest_name(pixel: Sequence[int]) -> str:
    """Return the name of the colour nearest to an RGB pixel."""
    return min(
        COLOURS,
        key=lambda name: sum((a - int(b)) ** 2 for a, b in zip(COLOURS[name], pixel, strict=True)),
    )
