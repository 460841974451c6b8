"""Whether one picture is a part of another: they are laid over each other and compared.

ORB features (OpenCV) of both are matched and a similarity transform is fitted by RANSAC: that many
points agreeing on one scale and shift is no accident.  Features alone still call two pages of one
form equal, so the overlap is compared as well: by pHash for photos, place by place for charts and
documents (`tasks.image_keys.layout`), after the fit is refined on the grey levels.
"""

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from infra.images.pixels import phash256, thumbnail
from sightline.boxes import Box
from tasks.image_keys.hashes import PHASH_BITS, bits_apart
from tasks.image_keys.layout import difference

RGB = npt.NDArray[np.uint8]
Affine = npt.NDArray[np.float64]
"""(2, 3): x, y of the larger picture to x, y of the part."""

FEATURE_SIDE: Final = 512
FEATURES: Final = 800
MAX_RATIO: Final = 0.8
"""Nearest over second nearest match, as in Lowe's test."""
MIN_AGREEING: Final = 20
MIN_AGREEING_SHARE: Final = 0.3
MIN_COVERED: Final = 0.85
"""Of the part that must lie inside the larger picture."""
MAX_BITS: Final = 40
"""pHash of the overlap: interpolation and a border of a few pixels cost more than a re-encoding."""
SHIFT_TOLERANCE: Final = 0.02
"""Scale and shear that count as none: most crops are cut and not resized, so they fit exactly."""
_REFINE_STEPS: Final = 40
_MIN_SIDE: Final = 16


@dataclass(frozen=True, slots=True)
class Overlap:
    """How a part lies in a picture.

    Fields:
        agreeing: matched features that agree on the transform.
        matched: matched features.
        scale: size of the part's pixels in those of the larger picture, both as compared.
        shift: x, y of the part's corner in the larger picture, fraction of its size.
        covered: share of the part that lies inside.
        bits: pHash bits of 256 that differ in the overlap.
        is_same: all of it is convincing.
    """

    agreeing: int
    matched: int
    scale: float
    shift: tuple[float, float]
    covered: float
    bits: int
    is_same: bool

    @property
    def similarity(self) -> float:
        """Return the share of equal pHash bits in the overlap."""
        return 1.0 - self.bits / PHASH_BITS

    def __str__(self) -> str:
        return (
            f"{self.agreeing} of {self.matched} ORB matches agree with scale {self.scale:.2f}, "
            f"shift {self.shift[0]:.0%} {self.shift[1]:.0%}; overlap {self.bits} of "
            f"{PHASH_BITS} pHash bits apart"
        )


def overlap(whole: RGB, part: RGB, box: Box, *, are_photos: bool) -> Overlap | None:
    """Return how `part` lies in `whole`, or None if nothing fits.

    Args:
        whole: the larger picture, turned as the part is.
        part: what may be cut from it.
        box: roughly where, fraction of `whole`; where a fit by features fails it starts from here.
        are_photos: both are; else their overlap must agree place by place.
    """
    if min(*whole.shape[:2], *part.shape[:2]) < _MIN_SIDE:
        return None
    large, small = thumbnail(whole, FEATURE_SIDE), thumbnail(part, FEATURE_SIDE)
    fit = _fit_by_features(large, small)
    start = fit.transform if fit.is_convincing else _from_box(large, small, box)
    if are_photos and not fit.is_convincing:
        return None
    transform = start if are_photos else _refined(large, small, start)
    if transform is None:
        return None
    full = _at_full_size(transform, (whole, large), (part, small))
    found = _compared(whole, part, full, fit, are_photos=are_photos)
    if are_photos or found is None or found.is_same or not _is_shift(full):
        return found
    return _compared(whole, part, _whole_pixels(full, part), fit, are_photos=are_photos) or found


@dataclass(frozen=True, slots=True, eq=False)
class _Fit:
    transform: Affine
    agreeing: int
    matched: int

    @property
    def is_convincing(self) -> bool:
        return self.agreeing >= max(MIN_AGREEING, MIN_AGREEING_SHARE * self.matched)


_NO_FIT: Final = _Fit(np.eye(2, 3), 0, 0)


def _fit_by_features(large: RGB, small: RGB) -> _Fit:
    """Return the similarity transform that most matched features agree on."""
    orb = cv2.ORB.create(nfeatures=FEATURES, fastThreshold=10)
    points, codes = zip(
        *(orb.detectAndCompute(_grey(p), None) for p in (large, small)), strict=True
    )
    if any(code is None or len(code) < MIN_AGREEING for code in codes):
        return _NO_FIT
    pairs = cv2.BFMatcher(cv2.NORM_HAMMING).knnMatch(codes[1], codes[0], k=2)
    both = (pair for pair in pairs if len(pair) > 1)
    good = [best for best, second in both if best.distance < MAX_RATIO * second.distance]
    if len(good) < MIN_AGREEING:
        return _NO_FIT
    source = np.array([points[0][m.trainIdx].pt for m in good], np.float32)
    target = np.array([points[1][m.queryIdx].pt for m in good], np.float32)
    found, inliers = cv2.estimateAffinePartial2D(source, target, ransacReprojThreshold=3.0)
    if found is None:
        return _NO_FIT
    return _Fit(np.asarray(found, dtype=np.float64), int(inliers.sum()), len(good))


def _from_box(large: RGB, small: RGB, box: Box) -> Affine:
    height, width = large.shape[:2]
    across = small.shape[1] / ((box[2] - box[0]) * width)
    down = small.shape[0] / ((box[3] - box[1]) * height)
    return np.array([[across, 0, -box[0] * width * across], [0, down, -box[1] * height * down]])


def _refined(large: RGB, small: RGB, start: Affine) -> Affine | None:
    """Return `start` moved to where the grey levels agree best (ECC), or None."""
    inverse = np.asarray(cv2.invertAffineTransform(start), dtype=np.float32)
    everywhere = np.full(large.shape[:2], 255, np.uint8)
    stop = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, _REFINE_STEPS, 1e-4)
    try:
        _, found = cv2.findTransformECC(
            _grey(small), _grey(large), inverse, cv2.MOTION_AFFINE, stop, everywhere, 5
        )
    except cv2.error:
        return None
    return np.asarray(cv2.invertAffineTransform(found), dtype=np.float64)


def _at_full_size(transform: Affine, whole: tuple[RGB, RGB], part: tuple[RGB, RGB]) -> Affine:
    """Return the transform between full sizes; each pair is a picture and its thumbnail."""
    shrink = np.diag(
        [whole[1].shape[1] / whole[0].shape[1], whole[1].shape[0] / whole[0].shape[0], 1]
    )
    grow = np.diag([part[0].shape[1] / part[1].shape[1], part[0].shape[0] / part[1].shape[0]])
    full: Affine = grow @ transform @ shrink
    return full


def _is_shift(transform: Affine) -> bool:
    """Return whether pixels stay as large as they are and upright."""
    return float(np.abs(transform[:, :2] - np.eye(2)).max()) < SHIFT_TOLERANCE


def _whole_pixels(transform: Affine, part: RGB) -> Affine:
    """Return the shift by whole pixels that moves the middle of `part` as `transform` does."""
    middle = np.array([part.shape[1] / 2, part.shape[0] / 2, 1.0])
    source = cv2.invertAffineTransform(transform) @ middle
    return np.column_stack([np.eye(2), np.rint(middle[:2] - source)])


def _compared(
    whole: RGB, part: RGB, transform: Affine, fit: _Fit, *, are_photos: bool
) -> Overlap | None:
    height, width = part.shape[:2]
    scale = float(np.sqrt(abs(np.linalg.det(transform[:, :2]))))
    if not 1 / 8 < scale < 8:  # noqa: PLR2004 - a degenerate fit
        return None
    mask = np.full(whole.shape[:2], 255, np.uint8)
    way = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    laid = np.array(
        cv2.warpAffine(_presmoothed(whole, scale), transform, (width, height), flags=way), np.uint8
    )
    inside = cv2.warpAffine(mask, transform, (width, height), flags=cv2.INTER_NEAREST) > 0
    covered = float(inside.mean())
    if covered < MIN_COVERED:
        return None
    inside = cv2.erode(inside.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
    laid[~inside] = part[~inside]
    bits = bits_apart(phash256(laid), phash256(part))
    is_same = bits <= MAX_BITS and (are_photos or difference(laid, part).is_same)
    corner = cv2.invertAffineTransform(transform)[:, 2]
    shift = (float(corner[0]) / whole.shape[1], float(corner[1]) / whole.shape[0])
    return Overlap(fit.agreeing, fit.matched, scale, shift, covered, bits, is_same)


def _presmoothed(rgb: RGB, scale: float) -> RGB:
    """Return the picture blurred as far as a shrinking warp, which takes single pixels, needs."""
    if scale >= 1:
        return rgb
    return np.asarray(cv2.GaussianBlur(rgb, (0, 0), 0.5 / scale), dtype=np.uint8)


def _grey(rgb: RGB) -> RGB:
    return np.asarray(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY), dtype=np.uint8)
