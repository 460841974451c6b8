"""What a recipe may choose about depth; where it is computed is the pool's business."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class DepthParams:
    """What decides the depth values; where they are computed is the pool's business.

    Attributes:
        weights: `embedded:depth`, a folder, an object-store URI or a hub id.
        input_px: least short side of the network's input; a multiple of 14, 518 for the real ones.
        max_tokens: most patches of one picture; 0 for four squares of `input_px`.
        precision: `auto`, `fp32` or `bf16`.
    """

    weights: str = "embedded:depth"
    input_px: int = 518
    max_tokens: int = 0
    precision: str = "auto"
