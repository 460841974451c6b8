"""What a promptable network is asked: boxes with the item they stand for, or a grid of points.

The numbers of the grid are those of SAM 2's own automatic mask generator (facebookresearch/sam2,
`sam2/automatic_mask_generator.py`): 32 x 32 points, predicted IoU over 0.8, stability over 0.95 at
an offset of 1 logit, boxes that overlap by more than 0.7 suppressed, no crops.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from sightline.boxes import Box

STABILITY_OFFSET: Final = 1.0
"""Logits by which the threshold is moved to either side."""
PROMPTS_AT_ONCE: Final = 64
"""Points or boxes decoded in one pass, `points_per_batch` of the same generator."""

PROMPTS_COLUMN: Final = pa.field(
    "prompts",
    pa.list_(
        pa.struct(
            [
                pa.field("kind", pa.string()),
                pa.field("id", pa.string()),
                pa.field("label", pa.string()),
                pa.field("box", pa.list_(pa.float64())),
            ]
        )
    ),
)
"""How boxes travel to a worker beside the image they lie on."""


class PromptKind(StrEnum):
    """Which table a prompt comes from; `segments.prompt_kind`."""

    DETECTION = "detection"
    SAMPLE = "sample"


@dataclass(frozen=True, slots=True)
class Prompt:
    """A box to segment.

    Attributes:
        kind: where it comes from.
        id: of the detection or the sample.
        label: category that the mask inherits, if the item has one.
        box: fractions of the image.
    """

    kind: PromptKind
    id: str
    label: str | None
    box: Box

    def as_row(self) -> dict[str, Any]:
        """Return the element of `PROMPTS_COLUMN`."""
        return {
            "kind": self.kind.value,
            "id": self.id,
            "label": self.label,
            "box": list(self.box),
        }


def prompts_of(columns: Mapping[str, Any]) -> list[Prompt] | None:
    """Return the prompts that travel in a row's `PROMPTS_COLUMN`; None for the automatic grid."""
    rows = columns.get(PROMPTS_COLUMN.name)
    return None if rows is None else [_prompt_of(row) for row in rows]


def _prompt_of(row: Mapping[str, Any]) -> Prompt:
    x0, y0, x1, y1 = row["box"]
    return Prompt(PromptKind(row["kind"]), row["id"], row["label"], (x0, y0, x1, y1))


@dataclass(frozen=True, slots=True)
class GridRule:
    """Which masks of the automatic grid stay.

    Attributes:
        points: along a side.
        min_iou: least IoU that the network predicts for its own mask.
        min_stability: least overlap of the mask at the raised and the lowered threshold.
        max_overlap: most overlap of two boxes.
    """

    points: int = 32
    min_iou: float = 0.8
    min_stability: float = 0.95
    max_overlap: float = 0.7


def grid_points(points: int) -> npt.NDArray[np.float32]:
    """Return (points * points, 2) x and y in fractions of the image, row by row, centred."""
    side = (np.arange(points, dtype=np.float64) + 0.5) / points
    x, y = np.meshgrid(side, side)
    return np.stack([x.ravel(), y.ravel()], axis=1).astype(np.float32)


def boxes_of(prompts: Sequence[Prompt]) -> npt.NDArray[np.float32]:
    """Return (n, 4) boxes in fractions of the image."""
    return np.asarray([prompt.box for prompt in prompts], dtype=np.float32).reshape(-1, 4)
