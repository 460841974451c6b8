"""What a user wants audited: folders of true depth and of human labels, and weights.

Known before Prefect is, so that a wrong folder is an error before a server starts.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tasks.depth_audit.folders import (
    Folder,
    HumanLabel,
    read_label_folder,
    read_truth_folder,
)
from tasks.depth_audit.truth_rows import TruthRow

NO_NETWORK: Final = "none"
"""Weights of no network: objects are not looked for."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to compare.

    Attributes:
        truth: folders of true depth.
        human: folders of human labels.
        weights: of the depth networks to audit; if none are given, the lake's own network as it was
            run there, and the embedded one for a lake without maps.
        input_px: least short side of their input; if not given 518, and 126 for embedded weights.
        segment_weights: of the network that finds objects for pictures with true depth, or `none`.
        segment_px: short side of its input; if not given 512, and 192 for embedded weights.
        seed: of the random pairs of points.
    """

    truth: tuple[str, ...] = ()
    human: tuple[str, ...] = ()
    weights: tuple[str, ...] = ()
    input_px: int | None = None
    segment_weights: str = "embedded:segment"
    segment_px: int | None = None
    seed: int = 0


def open_folders(wanted: Wanted) -> tuple[list[Folder[TruthRow]], list[Folder[HumanLabel]]]:
    """Return the folders of true depth and those of labels.

    Raises:
        SourceError: one holds nothing of its kind.
    """
    truths = [read_truth_folder(Path(path).expanduser()) for path in wanted.truth]
    labels = [read_label_folder(Path(path).expanduser()) for path in wanted.human]
    return truths, labels
