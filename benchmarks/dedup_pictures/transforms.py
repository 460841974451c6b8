"""Changes of a picture, and by what tier a copy should be found: drop, report, or not at all."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image, ImageEnhance

from infra.images.decode import decode
from infra.images.pixels import encode_jpeg

RGB = npt.NDArray[np.uint8]
Change = Callable[[RGB, np.random.Generator], RGB | None]
"""Returns None where a picture cannot be changed so."""


@dataclass(frozen=True, slots=True)
class Transform:
    """A change with what is expected of copies made by it.

    Fields:
        expected: drop, report (crops and flips) or apart (it says something else).
        goal: least share found; for `apart` the largest share merged.
        change: makes the copy.
    """

    expected: Literal["drop", "report", "apart"]
    goal: float
    change: Change


def _resized(rgb: RGB, factor: float) -> RGB:
    height, width = rgb.shape[:2]
    size = (max(1, round(width * factor)), max(1, round(height * factor)))
    return np.asarray(Image.fromarray(rgb).resize(size, Image.Resampling.LANCZOS))


def _brightness(rgb: RGB, factor: float) -> RGB:
    return np.asarray(ImageEnhance.Brightness(Image.fromarray(rgb)).enhance(factor))


def _jpeg(rgb: RGB, quality: int) -> RGB:
    return decode(encode_jpeg(rgb, quality)).rgb


def _grey(rgb: RGB) -> RGB:
    return np.asarray(Image.fromarray(rgb).convert("L").convert("RGB"))


def _crop(rgb: RGB, rng: np.random.Generator) -> RGB:
    """Cut 80-90 % of both sides anywhere, and encode it anew."""
    height, width = rgb.shape[:2]
    share = rng.uniform(0.8, 0.9)
    rows, columns = max(1, int(height * share)), max(1, int(width * share))
    y, x = rng.integers(0, height - rows + 1), rng.integers(0, width - columns + 1)
    return _jpeg(np.ascontiguousarray(rgb[y : y + rows, x : x + columns]), 85)


def _other_glyph(rgb: RGB, rng: np.random.Generator) -> RGB | None:
    """Replace one letter or digit by another one of the picture, as an edit of a number does."""
    grey = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)
    _, ink = cv2.threshold(grey, 0, 255, cv2.THRESH_BINARY_INV + cv2.THRESH_OTSU)
    _, _, stats, _ = cv2.connectedComponentsWithStats(ink)
    boxes = [s[:4] for s in stats[1:] if 9 <= s[3] <= 30 and 3 <= s[2] <= 24 and s[4] >= 10]  # noqa: PLR2004
    for _ in range(200 if len(boxes) > 3 else 0):  # noqa: PLR2004 - something to swap
        (x, y, w, h), (u, v, w2, h2) = (boxes[i] for i in rng.integers(0, len(boxes), 2))
        if abs(h - h2) > 1 or abs(w - w2) > 2:  # noqa: PLR2004 - another type size
            continue
        here, there = (
            cv2.resize(part, (10, 14), interpolation=cv2.INTER_AREA) > 127  # noqa: PLR2004
            for part in (ink[y : y + h, x : x + w], ink[v : v + h2, u : u + w2])
        )
        if (here & there).sum() <= 0.65 * (here | there).sum():
            edited = rgb.copy()
            edited[y : y + h, x : x + w] = cv2.resize(rgb[v : v + h2, u : u + w2], (int(w), int(h)))
            return edited
    return None


def _edited_jpeg(rgb: RGB, rng: np.random.Generator) -> RGB | None:
    edited = _other_glyph(rgb, rng)
    return None if edited is None else _jpeg(edited, 30)


COPIES: Final[dict[str, Transform]] = {
    "half size": Transform("drop", 0.95, lambda p, _: _resized(p, 0.5)),
    "1.6 x size": Transform("drop", 0.95, lambda p, _: _resized(p, 1.6)),
    "JPEG 30": Transform("drop", 0.95, lambda p, _: _jpeg(p, 30)),
    "brightness 1.2": Transform("drop", 0.95, lambda p, _: _brightness(p, 1.2)),
    "brightness 0.7": Transform("drop", 0.95, lambda p, _: _brightness(p, 0.7)),
    "grey": Transform("drop", 0.95, lambda p, _: _grey(p)),
    "0.6 x size, JPEG 30": Transform("drop", 0.0, lambda p, _: _jpeg(_resized(p, 0.6), 30)),
    "crop 80-90 %": Transform("report", 0.90, _crop),
    "flip": Transform("report", 0.95, lambda p, _: np.ascontiguousarray(p[:, ::-1])),
    "turn by 90": Transform("report", 0.95, lambda p, _: np.ascontiguousarray(np.rot90(p))),
}
EDITS: Final[dict[str, Transform]] = {
    "one glyph changed": Transform("apart", 0.02, _other_glyph),
    "one glyph changed, JPEG 30": Transform("apart", 0.02, _edited_jpeg),
}
"""For charts and documents."""
