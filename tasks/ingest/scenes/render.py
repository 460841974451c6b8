"""Pictures of scenes with exact truth: colour, depth, instances, boxes.

Depth and instances come from the ray through each pixel's centre and are exact; only the colours
are supersampled (2 x 2). Pixels are the same on every machine; the PNG bytes also depend on the
zlib that Pillow was built with. `GENERATOR_VERSION` is part of the identity of everything made
here: bump it when pixels or questions change.
"""

import io
from dataclasses import dataclass
from math import inf
from typing import Final

import numpy as np
import numpy.typing as npt
from PIL import Image

from tasks.ingest.scenes.rays import camera_rays, cast
from tasks.ingest.scenes.shading import shade
from tasks.ingest.scenes.solids import Colour, Material, Scene, Shape, Size

GENERATOR_VERSION: Final[int] = 1

SAMPLES_PER_SIDE: Final = 2

Box = tuple[int, int, int, int]
"""(x0, y0, x1, y1) in pixels, x1 and y1 excluded."""


@dataclass(frozen=True, slots=True)
class Rendered:
    """One picture and its truth.

    Attributes:
        rgb: (H, W, 3) uint8.
        depth: (H, W) float32, metres along the optical axis, inf for the sky.
        instance: (H, W) int16, 0 for ground and sky, k for the k-th solid.
        silhouette_px: per solid, the pixels it would cover if it stood alone.
    """

    rgb: npt.NDArray[np.uint8]
    depth: npt.NDArray[np.float32]
    instance: npt.NDArray[np.int16]
    silhouette_px: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class ObjectTruth:
    """What is known about one visible solid.

    Attributes:
        number: its value in `Rendered.instance`.
        box: tight around its visible pixels.
        area_px: visible pixels.
        visible_share: visible pixels over the pixels of its whole silhouette, 0..1.
        depth_m: median depth of its visible pixels.
    """

    number: int
    shape: Shape
    colour: Colour
    material: Material
    size: Size
    box: Box
    area_px: int
    visible_share: float
    depth_m: float

    @property
    def centre_px(self) -> tuple[float, float]:
        """The middle of the box."""
        x0, y0, x1, y1 = self.box
        return (x0 + x1) / 2, (y0 + y1) / 2


def render(scene: Scene, width: int = 256, height: int = 192) -> Rendered:
    """The picture of `scene` and its exact truth."""
    hits = cast(scene, camera_rays(scene.camera, width, height))
    colours = shade(scene, width * SAMPLES_PER_SIDE, height * SAMPLES_PER_SIDE)
    rgb = _to_bytes(_averaged(colours) + _noise(scene, width, height))
    return Rendered(rgb, hits.depth.astype(np.float32), hits.instance, hits.silhouette_px)


def object_truths(scene: Scene, rendered: Rendered) -> tuple[ObjectTruth, ...]:
    """One entry per solid with at least one visible pixel, in the order of their numbers."""
    numbers = range(1, len(scene.solids) + 1)
    found = (_object_truth(scene, rendered, number) for number in numbers)
    return tuple(truth for truth in found if truth is not None)


def scene_png(rendered: Rendered) -> bytes:
    """The picture as PNG; equal pixels give equal bytes."""
    buffer = io.BytesIO()
    Image.fromarray(rendered.rgb).save(buffer, format="PNG", compress_level=6)
    return buffer.getvalue()


def _object_truth(scene: Scene, rendered: Rendered, number: int) -> ObjectTruth | None:
    """Measures of one solid, None where no pixel shows it."""
    rows, columns = np.nonzero(rendered.instance == number)
    if rows.size == 0:
        return None
    solid = scene.solids[number - 1]
    return ObjectTruth(
        number=number,
        shape=solid.shape,
        colour=solid.colour,
        material=solid.material,
        size=solid.size,
        box=(int(columns.min()), int(rows.min()), int(columns.max()) + 1, int(rows.max()) + 1),
        area_px=int(rows.size),
        visible_share=rows.size / rendered.silhouette_px[number - 1],
        depth_m=_median(rendered.depth[rows, columns]),
    )


def _median(depths: npt.NDArray[np.float32]) -> float:
    """The middle finite value."""
    return float(np.median(depths[depths < inf]))


def _averaged(colours: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """The mean of each 2 x 2 block, added in a fixed order."""
    upper = colours[0::2, 0::2] + colours[0::2, 1::2]
    lower = colours[1::2, 0::2] + colours[1::2, 1::2]
    return (upper + lower) * np.float32(0.25)


def _noise(scene: Scene, width: int, height: int) -> npt.NDArray[np.float32]:
    """Triangular sensor noise per pixel and channel, in units of full scale."""
    bits = np.random.Generator(np.random.PCG64([scene.backdrop.texture_seed, 1]))
    draws = bits.random((2, height, width, 3), dtype=np.float32)
    scale = np.float32(scene.backdrop.noise_levels / 255.0)
    return np.asarray((draws[0] - draws[1]) * scale, dtype=np.float32)


def _to_bytes(colours: npt.NDArray[np.float32]) -> npt.NDArray[np.uint8]:
    """0..1 to 0..255, rounded half up."""
    scaled = np.clip(colours, 0.0, 1.0) * np.float32(255.0) + np.float32(0.5)
    return scaled.astype(np.uint8)
