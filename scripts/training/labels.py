"""The classes of the segmenter: background and one per colour and shape."""

from typing import Final

import numpy as np
import numpy.typing as npt

from tasks.ingest.scenes.render import Rendered
from tasks.ingest.scenes.solids import Colour, Scene, Shape

LABELS: Final[tuple[str, ...]] = (
    "background",
    *(f"{colour} {shape}" for colour in Colour for shape in Shape),
)


def label_map(scene: Scene, rendered: Rendered) -> npt.NDArray[np.uint8]:
    """(H, W) index into `LABELS` for every pixel."""
    by_number = [0, *(LABELS.index(f"{s.colour} {s.shape}") for s in scene.solids)]
    return np.asarray(by_number, dtype=np.uint8)[rendered.instance]
