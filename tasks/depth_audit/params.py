"""What decides the figures of a depth audit; all of it enters fingerprints.

Noise is given in nearness, the unit of `objects.depth_median`: 0.05 is the least margin by which a
relation is decided.
"""

from dataclasses import dataclass
from typing import Final

MARGIN_EDGES: Final = (0.0, 0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.5, 1.0)
"""Bins of margins: each holds what exceeds its lower edge, up to its upper one."""

RATIO_EDGES: Final = (1.03, 1.1, 1.25, 1.5, 2.0, float("inf"))
"""Bins of depth ratios: pairs of points closer than 3 % in depth are not asked about."""


@dataclass(frozen=True, slots=True)
class NoiseParams:
    """How maps are disturbed.

    Attributes:
        seed: of every random number; with the picture's id it decides a picture's noise.
        levels: standard deviations of the noise, in nearness.
        draws: noise fields per picture; all levels scale the same fields, so curves are smooth.
        correlation: standard deviation of the Gaussian that smooths the noise, as a share of the
            short side.  Errors of networks are smooth; white noise would vanish in medians.
        pictures: most pictures of one part, chosen by the hash of their id.
    """

    seed: int = 0
    levels: tuple[float, ...] = (0.01, 0.02, 0.03, 0.05, 0.07, 0.1, 0.15, 0.2)
    draws: int = 4
    correlation: float = 0.05
    pictures: int = 200


@dataclass(frozen=True, slots=True)
class TruthParams:
    """How maps are compared with true depth.

    Attributes:
        seed: of the random pairs; with the picture's id it decides them.
        point_pairs: pairs of points drawn per picture.
    """

    seed: int = 0
    point_pairs: int = 20_000


@dataclass(frozen=True, slots=True)
class Network:
    """Weights to audit or to find objects with.

    Attributes:
        weights: any form that `infra.checkpoints` resolves.
        input_px: least short side of the network's input.
    """

    weights: str
    input_px: int
