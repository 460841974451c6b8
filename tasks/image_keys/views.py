"""64-bit pHashes of a picture's views: the whole, its flips and quarter turns, and 100 crops.

A crop of somebody else's picture is found because *its* whole looks like one of *our* views, so a
stored picture carries the views and a query only its own whole.  All views are products of one
reduced picture with fixed matrices (cut, area average, cosine transform); flips only change signs
of frequencies.  With crops of 80 to 95 % in steps of 5 % at 5 x 5 places, a random crop of 80 to
90 % lies within 8 of 64 bits of its nearest view for 99.5 % of photos, another photo for none of
160,000 pairs.
"""

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from infra.images.pixels import luma
from sightline.boxes import Box

RGB = npt.NDArray[np.uint8]
Matrix = npt.NDArray[np.float64]

SIDE: Final = 192
_SAMPLES: Final = 32
_LOW: Final = 8
_QUANTUM: Final = 1e-2
_SCALES: Final = (80, 85, 90, 95)
_PLACES: Final = 5
FLIP_H, FLIP_V, TRANSPOSE = 1, 2, 4
"""Bits of a turn: the picture is transposed first, then flipped."""

TURN_NAMES: Final = (
    "whole", "flip_h", "flip_v", "rotate_180", "transpose", "rotate_90", "rotate_270",
    "anti_transpose",
)  # fmt: skip
"""By turn 0..7; `rotate_90` is clockwise."""


@dataclass(frozen=True, slots=True)
class View:
    """One way to look at a picture: turned, then cut.

    Fields:
        name: `flip_h`, or `crop:<size %>:<left %>:<top %>` with places as shares of what is cut.
        turn: bits `FLIP_H`, `FLIP_V`, `TRANSPOSE`.
        box: region that is seen, fraction of the turned picture.
    """

    name: str
    turn: int
    box: Box


def _all_views() -> tuple[View, ...]:
    turns = [View(name, turn, (0.0, 0.0, 1.0, 1.0)) for turn, name in enumerate(TURN_NAMES)]
    crops = []
    for size in _SCALES:
        for top in range(_PLACES):
            for left in range(_PLACES):
                x, y = ((100 - size) * place / (100 * (_PLACES - 1)) for place in (left, top))
                name = f"crop:{size}:{25 * left}:{25 * top}"
                crops.append(View(name, 0, (x, y, x + size / 100, y + size / 100)))
    return (*turns, *crops)


VIEWS: Final = _all_views()
VIEW_NAMES: Final = tuple(view.name for view in VIEWS)


def view_hashes(pixels: RGB) -> npt.NDArray[np.int64]:
    """Return a 64-bit pHash per `VIEWS`, two's complement.

    Args:
        pixels: (H, W, 3) RGB or (H, W) luma.
    """
    small = cv2.resize(luma(pixels), (SIDE, SIDE), interpolation=cv2.INTER_AREA).astype(np.float64)
    # not numpy's product: its threads spin against each other where workers share cores
    lines = _MATRICES.reshape(-1, SIDE)
    rows = cv2.gemm(lines, small, 1.0, np.zeros(0), 0.0)
    spectra = cv2.gemm(rows, lines, 1.0, np.zeros(0), 0.0, flags=cv2.GEMM_2_T)
    by_window = (
        np.asarray(spectra)
        .reshape(len(_MATRICES), _LOW, len(_MATRICES), _LOW)
        .transpose(0, 2, 1, 3)
    )
    crops = by_window[_ROWS, _COLUMNS]
    return _hashed(np.concatenate([_turned_spectra(by_window[0, 0]), crops]))


def turned(rgb: RGB, turn: int) -> RGB:
    """Return the picture transposed, then flipped, as the bits of `turn` say; contiguous."""
    picture = rgb.transpose(1, 0, 2) if turn & TRANSPOSE else rgb
    picture = picture[::-1] if turn & FLIP_V else picture
    return np.ascontiguousarray(picture[:, ::-1] if turn & FLIP_H else picture)


def _turned_spectra(spectrum: Matrix) -> Matrix:
    """Return (8, 8, 8): the frequencies of all turns; a flip changes the sign of the odd ones."""
    odd = np.where(np.arange(_LOW) % 2, -1.0, 1.0)
    turns = []
    for turn in range(len(TURN_NAMES)):
        one = spectrum.T if turn & TRANSPOSE else spectrum
        one = one * odd[:, None] if turn & FLIP_V else one
        turns.append(one * odd if turn & FLIP_H else one)
    return np.stack(turns)


def _hashed(spectra: Matrix) -> npt.NDArray[np.int64]:
    """Return one hash per (8, 8) spectrum; rounded first, so that float noise sets no bit."""
    steps = np.rint(spectra.reshape(len(spectra), -1) / _QUANTUM)
    bits = steps > np.median(steps, axis=1, keepdims=True)
    hashes: npt.NDArray[np.int64] = np.packbits(bits, axis=1).view(">i8")[:, 0].astype(np.int64)
    return hashes


def _window_matrix(low: float, high: float) -> Matrix:
    """Return (8, SIDE): cut [low, high) of a line, average it to 32 samples, lowest frequencies."""
    edges = np.linspace(low * SIDE, high * SIDE, _SAMPLES + 1)
    cells = np.arange(SIDE)
    begin, end = edges[:-1, None], edges[1:, None]
    share = np.clip(np.minimum(end, cells + 1) - np.maximum(begin, cells), 0, None)
    waves = np.cos(
        np.pi * np.arange(_LOW)[:, None] * (2 * np.arange(_SAMPLES) + 1) / (2 * _SAMPLES)
    )
    waves[0] *= np.sqrt(0.5)
    matrix: Matrix = waves @ (share / share.sum(axis=1, keepdims=True))
    return matrix


_SPANS: Final = (
    (0.0, 1.0),
    *sorted({(v.box[0], v.box[2]) for v in VIEWS if v.box[2] - v.box[0] < 1}),
)
_MATRICES: Final = np.stack([_window_matrix(*span) for span in _SPANS])
_CROPS: Final = VIEWS[len(TURN_NAMES) :]
_ROWS: Final = np.array([_SPANS.index((v.box[1], v.box[3])) for v in _CROPS])
_COLUMNS: Final = np.array([_SPANS.index((v.box[0], v.box[2])) for v in _CROPS])
