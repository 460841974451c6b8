"""From the raw values of a depth file to distances: every real file has its own code.

| encoding | raw values | distance |
|---|---|---|
| linear | integers or floats | raw / scale, in metres; 1000 (NYU), 256 (KITTI), 5000 (TUM), ... |
| sun | 16 bits, rotated left by 3 | rotated back, then millimetres (SUN RGB-D's toolbox) |
| kinect | 11 bits of disparity, bytes swapped | 351.3 / (1092.5 - raw) m (NYU's toolbox; Open3D) |
| disparity | larger is nearer, 8 or 16 bits | 1 / raw, in an unknown unit |

Nothing is guessed: a row says what it holds in `encoding`, or in words that leave no doubt, and
what it states of its raw values is compared with what is found, so that a swapped byte or a wrong
decoder is an error and not a bad score.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from tasks.depth_audit.truth_rows import TruthRow, TruthRowError

Raw = npt.NDArray[np.generic]
Reals = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

KINECT_FACTOR_M: Final = 351.3
KINECT_OFFSET: Final = 1092.5
KINECT_NO_READING: Final = 2047
KINECT_MAX_M: Final = 10.0
"""NYU Depth V2 toolbox, `depth_rel2depth_abs.m` and `camera_params.m`."""
SUN_SCALE: Final = 1000.0
LEAST_VALID: Final = 100
"""Fewer readings than this say nothing about a picture."""
ZERO_SHARE_SLACK: Final = 1e-3


class Encoding(StrEnum):
    """How a depth file holds distances; a row's `encoding`."""

    LINEAR = "linear"
    SUN = "sun"
    KINECT = "kinect"
    DISPARITY = "disparity"


@dataclass(frozen=True, slots=True)
class TrueDepth:
    """Measured depth.

    Attributes:
        depth: (H, W) float64, larger is farther; metres if `is_metric`, else an unknown unit.
        valid: (H, W), true where there is a reading.
        is_metric: whether the unit is known.
        note: what must be known to read a score against it; None if nothing.
    """

    depth: Reals
    valid: Mask
    is_metric: bool
    note: str | None


def encoding_of(row: TruthRow) -> Encoding:
    """Return how a row's depth file is to be read.

    Raises:
        TruthRowError: the row does not say, or names an encoding that is not known.
    """
    known = ", ".join(Encoding)
    if row.encoding is not None:
        if row.encoding not in set(Encoding):
            msg = f"unknown encoding {row.encoding!r}; known are {known}"
            raise TruthRowError(msg)
        return Encoding(row.encoding)
    for encoding, is_meant in _WORDS:
        if is_meant(row.kind.lower(), row.scale):
            return encoding
    msg = (
        f"expected a known depth encoding, found kind {row.kind!r} with scale {row.scale!r}; "
        f'say it in "encoding": {known}'
    )
    raise TruthRowError(msg)


_WORDS: Final[tuple[tuple[Encoding, Callable[[str, float | None], bool]], ...]] = (
    (Encoding.SUN, lambda kind, _: "bit-rotated" in kind or "sun3d" in kind),
    (Encoding.KINECT, lambda kind, _: "raw" in kind and "kinect" in kind),
    (Encoding.DISPARITY, lambda kind, _: re.search("disparity|inverse depth", kind) is not None),
    (Encoding.LINEAR, lambda kind, scale: "depth" in kind and scale is not None),
)
"""How the words of `kind` and the scale tell an encoding; the first that fits."""


def read_truth(data: bytes, row: TruthRow) -> TrueDepth:
    """Return the true depth in a row's file.

    Raises:
        TruthRowError: unknown encoding, not readable, or not what the row states.
    """
    encoding = encoding_of(row)
    raw = _raw(data)
    _compare(raw, row)
    found = _DECODERS[encoding](raw, row)
    if int(found.valid.sum()) < LEAST_VALID:
        msg = f"expected at least {LEAST_VALID} depth readings, found {int(found.valid.sum())}"
        raise TruthRowError(msg)
    return found


def _raw(data: bytes) -> Raw:
    """Return (H, W) values as stored: PNG, PGM and TIFF keep 16 bits through OpenCV."""
    decoded = cv2.imdecode(np.frombuffer(data, dtype=np.uint8), cv2.IMREAD_UNCHANGED)
    if decoded is None:
        msg = f"no decoder reads the {len(data)} bytes, which begin with {data[:8]!r}"
        raise TruthRowError(msg)
    if decoded.ndim != 2:  # noqa: PLR2004 - a grey picture
        msg = f"expected one channel, found {decoded.shape[2]}: a coloured map has no depth left"
        raise TruthRowError(msg)
    return np.asarray(decoded)


def _compare(raw: Raw, row: TruthRow) -> None:
    """Compare what a row states of its raw values with what was read."""
    height, width = raw.shape
    found = {
        "depth_width": width,
        "depth_height": height,
        "raw_min": float(raw.min()),
        "raw_max": float(raw.max()),
    }
    wrong = [
        f"{name} {row.stated[name]:g}, found {value:g}"
        for name, value in found.items()
        if name in row.stated and row.stated[name] != value
    ]
    zeros = float((raw == 0).mean())
    stated = row.stated.get("raw_zero_fraction", zeros)
    if abs(stated - zeros) > ZERO_SHARE_SLACK:
        wrong.append(f"raw_zero_fraction {stated:g}, found {zeros:.4f}")
    if wrong:
        msg = f"the row states {'; '.join(wrong)}: another file, or read in another byte order"
        raise TruthRowError(msg)


def _linear(raw: Raw, row: TruthRow) -> TrueDepth:
    if row.scale is None:
        msg = "a linear depth needs a scale: raw units in a metre"
        raise TruthRowError(msg)
    return _metric(raw.astype(np.float64) / row.scale, _present(raw, row))


def _sun(raw: Raw, row: TruthRow) -> TrueDepth:
    _need(raw, np.uint16)
    words = raw.astype(np.uint16)
    turned = (words >> 3) | (words << 13)
    return _metric(turned.astype(np.float64) / (row.scale or SUN_SCALE), _present(raw, row))


def _kinect(raw: Raw, row: TruthRow) -> TrueDepth:
    del row
    _need(raw, np.uint16)
    swapped = raw.astype(np.uint16).byteswap()
    if int(swapped.max()) > KINECT_NO_READING:
        msg = (
            f"expected values of 11 bits after swapping bytes, found {int(swapped.max())}; "
            "raw Kinect files hold their low byte first"
        )
        raise TruthRowError(msg)
    below = KINECT_OFFSET - swapped.astype(np.float64)
    metres = np.divide(KINECT_FACTOR_M, below, out=np.zeros(below.shape), where=below > 0)
    has_reading = (swapped < KINECT_NO_READING) & (metres <= KINECT_MAX_M)
    found = _metric(metres, has_reading)
    note = "depth is not registered to the picture"
    return TrueDepth(found.depth, found.valid, found.is_metric, note)


def _disparity(raw: Raw, row: TruthRow) -> TrueDepth:
    has_reading = _present(raw, row) & (raw.astype(np.float64) > 0)
    depth = np.divide(1.0, raw, out=np.zeros(raw.shape), where=has_reading)
    return TrueDepth(depth, has_reading, is_metric=False, note="disparity: the unit is unknown")


_DECODERS: Final[dict[Encoding, Callable[[Raw, TruthRow], TrueDepth]]] = {
    Encoding.LINEAR: _linear,
    Encoding.SUN: _sun,
    Encoding.KINECT: _kinect,
    Encoding.DISPARITY: _disparity,
}


def _metric(metres: Reals, has_reading: Mask) -> TrueDepth:
    is_valid = has_reading & np.isfinite(metres) & (metres > 0)
    return TrueDepth(np.where(is_valid, metres, 0.0), is_valid, is_metric=True, note=None)


def _present(raw: Raw, row: TruthRow) -> Mask:
    values = raw.astype(np.float64)
    is_finite = np.isfinite(values)
    return is_finite if row.invalid is None else is_finite & (values != row.invalid)


def _need(raw: Raw, kind: type[np.generic]) -> None:
    if raw.dtype != kind:
        msg = f"expected values of {np.dtype(kind).name}, found {raw.dtype.name}"
        raise TruthRowError(msg)
