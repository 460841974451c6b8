"""Whether two charts, documents or drawings of one layout also say the same, place by place.

A pHash sees the layout only: two tables with other numbers, two maps with another state marked,
two puzzles with another colour lie within a few bits.  So both pictures are brought to one size,
one is given brightness and contrast of the other (they change nothing that is said), and what
remains is looked at in small windows.  A copy differs a little everywhere; a changed digit differs
a lot in one place.  The limit therefore follows the noise of the pair, within fixed bounds: without
the upper bound a table with *all* numbers changed would pass as noisy.  A letter of less than
about 8 px that changes in a re-encoded picture can be missed.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image

RGB = npt.NDArray[np.uint8]
Plane = npt.NDArray[np.float32]

MAX_SIDE: Final = 1536
"""Longest side that is compared; a digit of a scanned page is still 8 px tall."""
BLUR_PX: Final = 1.0
WINDOW_PX: Final = 7
COLOUR_WINDOW_PX: Final = 11
MIN_LIMIT, MAX_LIMIT = 10.5, 20.0
"""Largest mean difference of a window, grey levels of 255: copies without noise measure below 3,
JPEG of quality 30 up to 20, one changed digit of 8 px 22 and more."""
NOISE_FACTOR: Final = 2.5
COLOUR_LIMIT: Final = 22.0
EXACT_LIMIT, EXACT_COLOUR_LIMIT = 5.0, 6.0
"""For pictures of one size compared pixel by pixel: only tones were changed, nothing is noise."""
FAR_FACTOR: Final = 2.5
"""At thumbnail size, clipped highlights of a brightened copy measure up to twice the limits."""
GREY_SPREAD: Final = 12.0
"""A picture whose channels stay this near to each other has no colours to compare."""
_WAYS_TO_SHRINK: Final = (Image.Resampling.LANCZOS, Image.Resampling.BICUBIC)
_BAND_PX: Final = 1024
_FIT_ROUNDS: Final = 4
_MIN_FITTED: Final = 64
_WHITE: Final = 255.0
_NEARLY_BLACK, _NEARLY_WHITE = 3.0, 252.0
_LUMA: Final = np.array([0.299, 0.587, 0.114], dtype=np.float32)


@dataclass(frozen=True, slots=True)
class Difference:
    """How far two pictures of one size differ where they differ most.

    Fields:
        worst: largest mean difference of a window after the fit of brightness, grey levels 0..255.
        limit: what `worst` may be, given the noise of the pair.
        colour: largest mean difference of chroma in a window; 0 if either picture is grey.
        colour_limit: what `colour` may be.
        x: where `worst` is, fraction of the width.
        y: where `worst` is, fraction of the height.
    """

    worst: float
    limit: float
    colour: float
    colour_limit: float
    x: float
    y: float

    @property
    def is_same(self) -> bool:
        """Return whether no place says something else."""
        return self.worst <= self.limit and self.colour <= self.colour_limit

    @property
    def is_far(self) -> bool:
        """Return whether no closer look can make the two the same."""
        return self.worst > FAR_FACTOR * MAX_LIMIT or self.colour > FAR_FACTOR * COLOUR_LIMIT


def difference(first: RGB, second: RGB) -> Difference:
    """Return the largest local difference; symmetric, any two sizes."""
    width = min(first.shape[1], second.shape[1])
    height = min(first.shape[0], second.shape[0])
    shrink = min(1.0, MAX_SIDE / max(width, height))
    size = (max(1, round(width * shrink)), max(1, round(height * shrink)))
    found = _both_ways(_softened(first, size), _softened(second, size), is_exact=False)
    if found.is_same:
        return found
    closer = [_exact(first, second)] if first.shape == second.shape else _shrunk(first, second)
    return next((way for way in closer if way.is_same), found)


def _shrunk(first: RGB, second: RGB) -> Iterator[Difference]:
    """Yield how the smaller picture differs from the larger one, shrunk as programs shrink.

    What was shrunk in the same way differs by next to nothing, so the narrow limits hold.
    """
    small, large = sorted((first, second), key=lambda rgb: rgb.shape[0] * rgb.shape[1])
    height, width = small.shape[:2]
    if max(height, width) > MAX_SIDE or height > large.shape[0] or width > large.shape[1]:
        return
    for way in _WAYS_TO_SHRINK:
        shrunk = np.asarray(Image.fromarray(large).resize((width, height), way), np.float32)
        yield _both_ways(shrunk, small.astype(np.float32), is_exact=True)


def _exact(first: RGB, second: RGB) -> Difference:
    """Return the difference of pictures of one size, pixel by pixel.

    A large one is compared by single pixels all over it first, so that tones change alike in every
    place, then whole in bands that overlap, so that memory is bounded.
    """
    step = -(-max(first.shape[:2]) // MAX_SIDE)
    pair = [np.ascontiguousarray(p[::step, ::step], dtype=np.float32) for p in (first, second)]
    found = _both_ways(pair[0], pair[1], is_exact=True)
    if step == 1:
        return found
    for top in range(0, first.shape[0], _BAND_PX):
        if not found.is_same:
            break
        rows = slice(max(top - WINDOW_PX, 0), top + _BAND_PX + WINDOW_PX)
        band = [p[rows].astype(np.float32) for p in (first, second)]
        found = max(
            found,
            _both_ways(band[0], band[1], is_exact=True),
            key=lambda way: (not way.is_same, way.worst, way.colour),
        )
    return found


def _both_ways(one: Plane, other: Plane, *, is_exact: bool) -> Difference:
    """Return the better way round: a clipped picture cannot be mapped back onto the original."""
    if _is_grey(one) or _is_grey(other):
        one, other = _luma(one)[:, :, None], _luma(other)[:, :, None]
    ways = [_one_way(a, b, is_exact=is_exact) for a, b in ((one, other), (other, one))]
    return min(ways, key=lambda way: (not way.is_same, way.worst / way.limit, way.colour))


def _one_way(source: Plane, target: Plane, *, is_exact: bool) -> Difference:
    """Return how `source`, mapped onto the tones of `target`, differs from it.

    Args:
        source: (H, W, C) float32, C = 3 for RGB or 1 for grey.
        target: like `source`.
        is_exact: nothing but tones may differ.
    """
    gap = _retoned(source, target) - target
    window = (WINDOW_PX, WINDOW_PX)
    local = cv2.blur(np.abs(_luma(gap)), window) * (255.0 / _span(_luma(target)))
    row, column = np.unravel_index(int(local.argmax()), local.shape)
    return Difference(
        worst=float(local.max()),
        limit=EXACT_LIMIT if is_exact else _limit(local, _luma(target)),
        colour=_colour_gap(gap),
        colour_limit=EXACT_COLOUR_LIMIT if is_exact else COLOUR_LIMIT,
        x=float(column / local.shape[1]),
        y=float(row / local.shape[0]),
    )


def _softened(rgb: RGB, size: tuple[int, int]) -> Plane:
    """Return the picture at `size` (width, height) as float32, slightly blurred."""
    is_smaller = size[0] < rgb.shape[1] or size[1] < rgb.shape[0]
    way = cv2.INTER_AREA if is_smaller else cv2.INTER_LINEAR
    resized = cv2.resize(rgb, size, interpolation=way).astype(np.float32)
    return np.asarray(cv2.GaussianBlur(resized, (0, 0), BLUR_PX), dtype=np.float32)


def _luma(planes: Plane) -> Plane:
    """Return (H, W) luma of RGB, or of differences of RGB; grey is its own luma."""
    if planes.shape[2] == 1:
        return planes[:, :, 0]
    return np.asarray(planes @ _LUMA, dtype=np.float32)


def _is_grey(planes: Plane) -> bool:
    spread = planes.max(axis=2) - planes.min(axis=2)
    return float(spread.max()) < GREY_SPREAD


def _span(plane: Plane) -> float:
    low, high = np.percentile(plane, (0.5, 99.5))
    return max(float(high - low), 16.0)


def _retoned(source: Plane, target: Plane) -> Plane:
    """Return `source` with brightness and contrast of `target`, clipped as pixels are.

    One straight line for all channels: a curve per channel would turn yellow into orange.  Values
    that the line drives out of range, and that are clipped in `target`, do not count in the fit.
    """
    x, y = source.ravel(), target.ravel()
    everything = np.ones(x.shape, np.bool_)
    unclipped = (np.minimum(x, y) > _NEARLY_BLACK) & (np.maximum(x, y) < _NEARLY_WHITE)
    lines = [_fitted(x, y, start) for start in (everything, unclipped)]
    return min(lines, key=lambda line: float(np.abs(line - y).sum())).reshape(source.shape)


def _fitted(x: Plane, y: Plane, counts: npt.NDArray[np.bool_]) -> Plane:
    """Return `x` on the line to `y`, found by fits that start from the values in `counts`."""
    for _ in range(_FIT_ROUNDS):
        gain, offset = _line(x[counts], y[counts])
        line = gain * x + offset
        is_out = (line > _WHITE) & (y > _NEARLY_WHITE) | (line < 0) & (y < _NEARLY_BLACK)
        counts = ~is_out
    return np.asarray(np.clip(line, 0, _WHITE), dtype=np.float32)


def _line(x: Plane, y: Plane) -> tuple[float, float]:
    """Return gain and offset of the least squares line; the identity where nothing varies."""
    if x.size < _MIN_FITTED or float(x.std()) < 1:
        return 1.0, 0.0
    mean_x, mean_y = float(x.mean()), float(y.mean())
    gain = float(((x - mean_x) * (y - mean_y)).mean()) / float(x.var())
    gain = float(np.clip(gain, 0.4, 2.5))
    return gain, mean_y - gain * mean_x


def _limit(gap: Plane, luma: Plane) -> float:
    """Return the limit for this pair: some times the noise where the picture has strokes."""
    mean = cv2.blur(luma, (WINDOW_PX, WINDOW_PX))
    deviation = cv2.blur(np.abs(luma - mean), (WINDOW_PX, WINDOW_PX))
    strokes = gap[deviation > deviation.max() * 0.3]
    noise = float(np.percentile(strokes, 90)) if strokes.size else 0.0
    return float(np.clip(NOISE_FACTOR * noise, MIN_LIMIT, MAX_LIMIT))


def _colour_gap(gap: Plane) -> float:
    """Return the largest local difference of a colour channel against luma; 0 for grey."""
    if gap.shape[2] == 1:
        return 0.0
    window = (COLOUR_WINDOW_PX, COLOUR_WINDOW_PX)
    chroma = gap - _luma(gap)[:, :, None]
    return float(np.abs(cv2.blur(chroma, window)).max())
