"""The numbers behind depth facts and relations; a recipe may change them, nothing else holds any.

The depth numbers come from 250 exact scenes with blurred depth and dilated masks: they raised the
share of correct depth orders from 0.953 to 0.994 and kept 79 % of the pairs (ADR 0005).
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class GroundParams:
    """What decides objects and relations.

    Attributes:
        erode_px: rim taken off a mask before depth is read, where two surfaces mix.
        whole_mask_below_px: if less than this is left, the whole mask is read.
        min_area_px: smaller objects stand in no relation.
        min_depth_margin: least difference of medians that decides, in normalised depth.
        min_gap_frac: least distance of centres that decides, in fractions of the image.
        spread_share: share of the mean spread that a difference must exceed as well.
        sky_share: share of an object's pixels in the sky from which it is sky.
        reflective_share: share of an object's pixels within glass or a mirror from which its depth
            is that of what shows there.
        contained_share: share of an object's pixels within another one from which it is a part.
    """

    erode_px: int = 2
    whole_mask_below_px: int = 16
    min_area_px: int = 64
    min_depth_margin: float = 0.05
    min_gap_frac: float = 0.05
    spread_share: float = 0.5
    sky_share: float = 0.5
    reflective_share: float = 0.5
    contained_share: float = 0.9
