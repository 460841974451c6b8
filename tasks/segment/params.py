"""What a recipe may choose about segmentation; where it is computed is the pool's business."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SegmentParams:
    """What decides the masks.

    Attributes:
        weights: `embedded:segment`, a folder, an object-store URI or a hub id.
        input_px: short side of the network's input and of the mask grid.
        min_area_frac: least area of a segment, as a share of the grid.
        max_segments: most segments of one picture; the largest are kept.
    """

    weights: str = "embedded:segment"
    input_px: int = 512
    min_area_frac: float = 0.001
    max_segments: int = 32
