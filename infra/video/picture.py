"""The pixels of a video frame: upright, with square pixels, the same bytes on every machine.

libswscale's fast paths differ between processors, so its exact ones are asked for.  A file that
does not say which matrix its colours use gets the one players take: BT.709 from 720 lines on, else
BT.601.  High dynamic range is not mapped, interlaced lines are not woven apart.
"""

from fractions import Fraction
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from av.sidedata.sidedata import Type as SideDataType
from av.video.frame import VideoFrame
from av.video.reformatter import ColorRange, Colorspace, Interpolation

from infra.video.container import VideoProblem, check_size
from sightline.errors import Failure

RGB = npt.NDArray[np.uint8]

EXACT: Final = (
    Interpolation.BICUBIC
    | Interpolation.ACCURATE_RND
    | Interpolation.FULL_CHR_H_INT
    | Interpolation.FULL_CHR_H_INP
    | Interpolation.BITEXACT
)
HD_LINES: Final = 720
UNSPECIFIED: Final = 2
"""AVCOL_SPC_UNSPECIFIED."""


def upright_rgb(frame: VideoFrame, pixel_shape: Fraction, max_pixels: int) -> RGB:
    """Return the frame as (H, W, 3) uint8 RGB the way a player shows it.

    Args:
        frame: as decoded.
        pixel_shape: width of a stored pixel over its height; the picture is widened, or made
            taller, so that nothing is lost.
        max_pixels: most pixels of the frame, before and after.

    Raises:
        VideoProblem: too large, or turned by an angle that is no quarter.
    """
    width, height = _square(frame.width, frame.height, pixel_shape)
    check_size(frame.width, frame.height, max_pixels)
    check_size(width, height, max_pixels)
    wide = frame.height >= HD_LINES
    matrix = {UNSPECIFIED: Colorspace.ITU709 if wide else Colorspace.ITU601}.get(frame.colorspace)
    shown = frame.reformat(
        width,
        height,
        "rgb24",
        src_colorspace=matrix,
        interpolation=EXACT,
        src_color_range=frame.color_range,
        dst_color_range=ColorRange.JPEG,
        threads=1,
    )
    return np.ascontiguousarray(_turned(np.asarray(shown.to_ndarray(), np.uint8), frame))


def _square(width: int, height: int, shape: Fraction) -> tuple[int, int]:
    if shape >= 1:
        return round(width * shape), height
    return width, round(height / shape)


def _turned(rgb: RGB, frame: VideoFrame) -> RGB:
    """Return a view of the pixels turned as the display matrix asks.

    The matrix maps (x, y), y down, to (a x + c y, b x + d y), in 1/65536 (ISO 14496-12, 6.2.2).
    """
    beside: Any = frame.side_data  # a mapping, whatever its stub says
    if SideDataType.DISPLAYMATRIX not in beside:
        return rgb
    matrix = np.frombuffer(bytes(beside[SideDataType.DISPLAYMATRIX]), dtype=np.int32)
    a, b, _, c, d = matrix[:5].tolist()
    if not b and not c and a and d:
        flip_x, flip_y = a < 0, d < 0
    elif not a and not d and b and c:
        rgb, flip_x, flip_y = rgb.swapaxes(0, 1), c < 0, b < 0
    else:
        detail = f"expected a rotation by quarter turns, found {frame.rotation} degrees"
        raise VideoProblem(Failure.VIDEO_UNSUPPORTED, detail)
    rgb = rgb[:, ::-1] if flip_x else rgb
    return rgb[::-1] if flip_y else rgb
