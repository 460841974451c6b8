"""What a recipe may choose about detection; where it is computed is the pool's business."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class DetectParams:
    """What decides the boxes.

    Attributes:
        weights: a Grounding DINO or OWLv2 network: a folder, an object-store URI or a hub id.
        queries: what to look for in every image, in plain words without `.` or `?`: `red mug`.
        min_score: least score of a box, [0, 1]; null for the published 0.25 of Grounding DINO and
            0.1 of OWLv2.
        min_text_score: least score of a word that becomes part of the label, Grounding DINO only.
        max_overlap: most overlap of two boxes of one query; 1 keeps all.
        max_boxes: most boxes of one picture; the best are kept.
        input_px: short side of the input of Grounding DINO; OWLv2 has its own square.
        precision: `auto` (bf16 where the device multiplies it natively), `fp32` or `bf16`.
    """

    weights: str = "IDEA-Research/grounding-dino-tiny"
    queries: tuple[str, ...] = ()
    min_score: float | None = None
    min_text_score: float = 0.25
    max_overlap: float = 0.7
    max_boxes: int = 100
    input_px: int = 800
    precision: str = "auto"
