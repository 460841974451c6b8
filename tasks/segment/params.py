"""What a recipe may choose about segmentation; where it is computed is the pool's business.

One set of keys serves all families (`tasks.segment.families`); each says which one reads it.
"""

from dataclasses import dataclass

from tasks.segment.families import Prompts, Task


@dataclass(frozen=True, slots=True)
class SegmentParams:
    """What decides the masks.

    Attributes:
        weights: `embedded:segment`, a folder, an object-store URI or a hub id; its `config.json`
            decides the family: semantic, universal (Mask2Former, MaskFormer, OneFormer) or
            promptable (SAM 2, 2.1).
        input_px: short side of the mask grid, which is also the network's input except for SAM 2,
            whose input is its own square.
        min_area_frac: least area of a segment, as a share of the grid; masks of boxes are kept
            whatever their size.
        max_segments: most segments of one picture, the largest are kept; masks of boxes all are.
        precision: `auto` (bf16 where the device multiplies it natively), `fp32` or `bf16`.
        prompts: what a promptable network is asked about: a grid of points, the boxes of step
            `detect`, or the boxes of samples that refer to the image; `auto` is the grid.
        task: what a universal network is asked for.
        min_score: least score of a segment of a universal network, [0, 1].
        fuse: labels whose segments are one, such as sky; panoptic segments of universal networks.
        grid_points: points along a side of the automatic grid.
        min_iou: least overlap with the truth that the network itself predicts for a mask of the
            grid, [0, 1].
        min_stability: least overlap of a mask of the grid with itself when the threshold moves by
            one logit to either side, [0, 1].
        max_overlap: most overlap of two boxes of masks of the grid, [0, 1].
    """

    weights: str = "embedded:segment"
    input_px: int = 512
    min_area_frac: float = 0.001
    max_segments: int = 32
    precision: str = "auto"
    prompts: Prompts = Prompts.AUTO
    task: Task = Task.PANOPTIC
    min_score: float = 0.5
    fuse: tuple[str, ...] = ()
    grid_points: int = 32
    min_iou: float = 0.8
    min_stability: float = 0.95
    max_overlap: float = 0.7
