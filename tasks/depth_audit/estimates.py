"""A depth map as an estimate of true depth: on the grid of the truth, and in its unit.

Relative maps hold inverse depth up to scale and shift.  Both are fitted by least squares in inverse
depth over all readings, as MiDaS is evaluated (arXiv:1907.01341, section 5 and equation 5) and
Depth-Anything after it (arXiv:2401.10891, arXiv:2406.09414).  Metric maps are taken as they are; a
truth without unit gives them a scale and nothing else.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import cv2
import numpy as np
import numpy.typing as npt

from infra.images.depth_codec import Direction, decode_levels, nearness, values_of
from tasks.depth_audit.encodings import TrueDepth
from tasks.depth_audit.truth_rows import TruthRowError

Reals = npt.NDArray[np.float64]

INDOOR_CAP_M: Final = 10.0
OUTDOOR_CAP_M: Final = 80.0
"""Greatest estimate: 10 m where no reading exceeds it, as for NYU, else 80 m, as for KITTI."""
MIN_DEPTH_M: Final = 1e-3
ASPECT_SLACK: Final = 0.02


@dataclass(frozen=True, slots=True)
class Estimate:
    """A map of `depth_maps`.

    Attributes:
        values: (h, w) float32 in the model's unit, on the model's grid.
        p2: value of nearness 0 or 1, whichever way the model counts.
        p98: the other one.
        direction: which way values grow.
        is_metric: whether they are metres.
        is_flat: whether the map carries no order.
    """

    values: npt.NDArray[np.float32]
    p2: float
    p98: float
    direction: Direction
    is_metric: bool
    is_flat: bool

    @property
    def near(self) -> npt.NDArray[np.float32]:
        """Return nearness, 1 nearest, on the model's grid."""
        return nearness(self.values, self.p2, self.p98, self.direction)

    @property
    def towards(self) -> npt.NDArray[np.float32]:
        """Return values that grow towards the camera; not cut off at the percentiles."""
        return self.values if self.direction is Direction.LARGER_NEARER else -self.values


@dataclass(frozen=True, slots=True)
class Fit:
    """What turns values of the model into inverse depth: `scale * value + shift`.

    For metric maps it turns inverse values: the shift is 0, and so is nothing else asked for.
    """

    scale: float
    shift: float


def estimate_of(row: Mapping[str, Any]) -> Estimate:
    """Return a row of `depth_maps` as values."""
    values = values_of(decode_levels(row["depth"]), row["lo"], row["hi"])
    return Estimate(
        values=values,
        p2=row["p2"],
        p98=row["p98"],
        direction=Direction(row["direction"]),
        is_metric=row["kind"] == "metric",
        is_flat=row["status"] == "flat",
    )


def on_grid(values: npt.NDArray[np.float32], height: int, width: int) -> Reals:
    """Return a map on another grid of the same picture.

    Raises:
        TruthRowError: the shapes are not of one picture.
    """
    aspect, wanted = values.shape[1] / values.shape[0], width / height
    if abs(aspect / wanted - 1) > ASPECT_SLACK + 14 / min(values.shape):
        msg = (
            f"expected one picture, found a map of {values.shape[1]} x {values.shape[0]} "
            f"and a truth of {width} x {height}"
        )
        raise TruthRowError(msg)
    return np.asarray(
        cv2.resize(values, (width, height), interpolation=cv2.INTER_LINEAR), dtype=np.float64
    )


def fit_of(values: Reals, truth: TrueDepth, *, is_metric: bool) -> Fit:
    """Return how the model's values become inverse depth in the truth's unit.

    Args:
        values: (H, W) in the model's unit, on the truth's grid.
        truth: what was measured.
        is_metric: whether the values are metres.
    """
    if is_metric and truth.is_metric:
        return Fit(1.0, 0.0)
    inverse = 1.0 / truth.depth[truth.valid]
    seen = values[truth.valid]
    if is_metric:
        guessed = 1.0 / np.maximum(seen, MIN_DEPTH_M)
        return Fit(float(guessed @ inverse / (guessed @ guessed)), 0.0)
    columns = np.stack([seen, np.ones_like(seen)], axis=1)
    (scale, shift), *_ = np.linalg.lstsq(columns, inverse, rcond=None)
    return Fit(float(scale), float(shift))


def inverse_depth(values: Reals, fit: Fit, *, is_metric: bool) -> Reals:
    """Return inverse depth in the truth's unit; may be 0 or less where the fit says so."""
    grown = 1.0 / np.maximum(values, MIN_DEPTH_M) if is_metric else values
    return fit.scale * grown + fit.shift


def depth_cap(truth: TrueDepth, stated: float | None) -> float:
    """Return the greatest depth that an estimate may have, in the truth's unit."""
    deepest = float(truth.depth[truth.valid].max())
    if stated is not None:
        return stated
    if not truth.is_metric:
        return deepest
    return INDOOR_CAP_M if deepest <= INDOOR_CAP_M else max(OUTDOOR_CAP_M, deepest)


def expected_nearness(truth: TrueDepth, estimate: Estimate, fit: Fit) -> Reals:
    """Return the nearness that the model should have given, on the truth's grid.

    It is the truth in the model's own scale, so its difference from the map's nearness is the
    model's error in the unit that margins are in.  Without a reading it is NaN.
    """
    inverse = np.full(truth.depth.shape, np.nan)
    inverse[truth.valid] = 1.0 / truth.depth[truth.valid]
    if fit.scale <= 0:
        return np.full(truth.depth.shape, np.nan)
    said = (inverse - fit.shift) / fit.scale
    values = 1.0 / said if estimate.is_metric else said
    share = np.clip((values - estimate.p2) / max(estimate.p98 - estimate.p2, 1e-12), 0.0, 1.0)
    return share if estimate.direction is Direction.LARGER_NEARER else 1.0 - share
