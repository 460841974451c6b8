"""What a recipe may choose about depth; where it is computed is the pool's business."""

from dataclasses import dataclass

from tasks.vision.pictures import Resample


@dataclass(frozen=True, slots=True)
class DepthParams:
    """What decides the depth values; where they are computed is the pool's business.

    Attributes:
        weights: `embedded:depth`, a folder, an object-store URI or a hub id.
        input_px: least short side of the network's input; a multiple of 14, 518 for the real ones.
        max_tokens: most patches of one picture; 0 for four squares of `input_px`.
        precision: `auto` (bf16 where the device multiplies it natively), `fp32` or `bf16`; name
            one where machines differ, else their maps differ in `preproc_id`.
        resample: `official` (OpenCV's bicubic, as the published weights are run) or `antialias`
            (Pillow's, as the embedded weights were trained).
        is_compiled: pass the network through `torch.compile`, which rounds a little differently;
            it needs a compiler on the workers, a minute, and pays off on GPUs over long runs.
    """

    weights: str = "embedded:depth"
    input_px: int = 518
    max_tokens: int = 0
    precision: str = "auto"
    resample: Resample = Resample.OFFICIAL
    is_compiled: bool = False
