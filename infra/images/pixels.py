"""What is done with decoded RGB: fingerprints, crops, encoding, thumbnails.

Everything is a pure function of the pixels: the same array gives the same bytes, so crops keep
their content id across runs.  A crop is snapped outward to whole pixels; ask `crop_box_px` for the
region that was really cut before stating a box relative to it.
"""

import base64
import hashlib
import math

import cv2
import numpy as np
import numpy.typing as npt
import simplejpeg
from PIL import Image

from sightline.boxes import Box, clip

RGB = npt.NDArray[np.uint8]
BoxPx = tuple[int, int, int, int]

_PHASH_SIDE = 16
_PHASH_SAMPLES = 64
"""256 bits from the lowest 16 x 16 frequencies of a 64 x 64 picture, as in `imagehash.phash`."""
_PHASH_QUANTUM = 1e-2
"""Coefficients are rounded to it, so that float noise of flat pictures sets no bit."""


def pixel_sha(rgb: RGB) -> str:
    """Return sha256 of size and pixels: equal for every encoding of the same picture."""
    digest = hashlib.sha256(f"{rgb.shape[1]}x{rgb.shape[0]}:".encode())
    digest.update(np.ascontiguousarray(rgb).data)
    return digest.hexdigest()


def luma(pixels: RGB) -> RGB:
    """Return (H, W) grey levels of (H, W, 3) RGB; (H, W) is grey already."""
    colour = 3
    is_colour = pixels.ndim == colour
    return (
        cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY).astype(np.uint8, copy=False)
        if is_colour
        else pixels
    )


def phash256(pixels: RGB) -> str:
    """Return the 256-bit perceptual hash as 64 hex characters; near pictures differ in few bits.

    Args:
        pixels: (H, W, 3) RGB or (H, W) luma.
    """
    small = cv2.resize(luma(pixels), (_PHASH_SAMPLES, _PHASH_SAMPLES), interpolation=cv2.INTER_AREA)
    low = cv2.dct(small.astype(np.float32))[:_PHASH_SIDE, :_PHASH_SIDE]
    steps = np.rint(low / _PHASH_QUANTUM)
    return np.packbits(steps > np.median(steps)).tobytes().hex()


def crop_box_px(width: int, height: int, box_frac: Box, min_side: int = 1) -> BoxPx:
    """Return the pixel region `crop` cuts: `box_frac` snapped outward, then grown to `min_side`.

    Args:
        width: of the picture, px.
        height: of the picture, px.
        box_frac: fractions of the picture; what lies outside it is clipped.
        min_side: least side of the region in px, as far as the picture allows.

    Raises:
        ValueError: the box has no area inside the picture.
    """
    x0, y0, x1, y1 = clip(box_frac)
    if x1 <= x0 or y1 <= y0:
        msg = f"expected a box with an area inside the picture, found {box_frac!r}"
        raise ValueError(msg)
    left, right = _span(x0 * width, x1 * width, width, min_side)
    top, bottom = _span(y0 * height, y1 * height, height, min_side)
    return (left, top, right, bottom)


def _span(low: float, high: float, size: int, least: int) -> tuple[int, int]:
    """Snap outward (with 1e-6 px of tolerance) and grow evenly to `least`, inside 0..size."""
    start, end = math.floor(low + 1e-6), math.ceil(high - 1e-6)
    end = max(end, start + 1)
    missing = min(least, size) - (end - start)
    if missing > 0:
        start = min(max(0, start - missing // 2), size - min(least, size))
        end = start + min(least, size)
    return max(0, start), min(size, end)


def crop(rgb: RGB, box_frac: Box, min_side: int = 1) -> RGB:
    """Return the pixels of `crop_box_px`, contiguous.

    Raises:
        ValueError: the box has no area inside the picture.
    """
    x0, y0, x1, y1 = crop_box_px(rgb.shape[1], rgb.shape[0], box_frac, min_side)
    return np.ascontiguousarray(rgb[y0:y1, x0:x1])


def encode_png(pixels: npt.NDArray[np.uint8] | npt.NDArray[np.uint16]) -> bytes:
    """Return a PNG of (H, W, 3) uint8 RGB, or of (H, W) uint8 or uint16 grey."""
    colour = 3
    stored = pixels[:, :, ::-1] if pixels.ndim == colour else pixels  # OpenCV writes BGR
    _, data = cv2.imencode(".png", np.ascontiguousarray(stored), [cv2.IMWRITE_PNG_COMPRESSION, 6])
    return bytes(data)


def encode_jpeg(rgb: RGB, quality: int = 92) -> bytes:
    """Return a JPEG without chroma subsampling, so that thin coloured strokes survive."""
    data: bytes = simplejpeg.encode_jpeg(
        np.ascontiguousarray(rgb), quality=quality, colorspace="RGB", colorsubsampling="444"
    )
    return data


def thumbnail(rgb: RGB, max_side: int) -> RGB:
    """Return the picture with its longer side at most `max_side` px; never enlarged."""
    height, width = rgb.shape[:2]
    scale = max_side / max(width, height)
    if scale >= 1:
        return rgb
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return cv2.resize(rgb, size, interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)


def thumbnail_data_uri(rgb: RGB, max_side: int = 320, quality: int = 82) -> str:
    """Return a `data:image/jpeg;base64,...` URI for a self-contained page."""
    data = encode_jpeg(thumbnail(rgb, max_side), quality)
    return "data:image/jpeg;base64," + base64.b64encode(data).decode("ascii")


def resize_bicubic(rgb: RGB, width: int, height: int) -> RGB:
    """Return the picture at (width, height), bicubic and anti-aliased when it shrinks.

    Pillow's integer arithmetic gives the same pixels on every machine.
    """
    if rgb.shape[:2] == (height, width):
        return rgb
    resized = Image.fromarray(rgb).resize((width, height), Image.Resampling.BICUBIC)
    return np.asarray(resized)
