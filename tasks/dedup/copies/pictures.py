"""A picture as an image encoder sees it: the whole of it, as a square.

Cutting the middle out, as classifiers do, loses what lies at the rims, so the sides are scaled
apart instead, as copy detectors are evaluated (arXiv:2202.10261, section 4).  Shrinking averages
(OpenCV's INTER_AREA), growing interpolates.
"""

from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

RGB = npt.NDArray[np.uint8]

IMAGENET_MEAN: Final = (0.485, 0.456, 0.406)
IMAGENET_STD: Final = (0.229, 0.224, 0.225)
"""Of RGB in [0, 1]: what encoders that learn from photos are trained with."""


def square(rgb: RGB, side_px: int) -> RGB:
    """Return (side, side, 3) uint8 of the whole (H, W, 3) picture."""
    is_smaller = min(rgb.shape[:2]) < side_px
    how = cv2.INTER_CUBIC if is_smaller else cv2.INTER_AREA
    resized = cv2.resize(rgb, (side_px, side_px), interpolation=how)
    return resized.astype(np.uint8, copy=False)
