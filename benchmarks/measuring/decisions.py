"""How good a set of deduplication decisions is, judged by the exact oracle."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.dedup_corpora.oracle import Ints, Pairs, Shingled, greedy

EPSILON = 1e-9


@dataclass(frozen=True, slots=True)
class Truth:
    """A corpus with everything that is true about its pairs."""

    sets: Shingled
    pairs: Pairs
    tau: float

    @property
    def kept_by(self) -> Ints:
        """Return what the exact greedy keeper decides; -1 where a row is kept."""
        return greedy(len(self.sets), self.pairs)


@dataclass(frozen=True, slots=True)
class Decisions:
    """What a scheme decided.

    Attributes:
        kept: bool[n].
        kept_by: int64[n], the row that stays for each row; null if the scheme names none.
    """

    kept: npt.NDArray[np.bool_]
    kept_by: Ints | None


def judged(found: Decisions, truth: Truth) -> dict[str, Any]:
    """Return the figures of one scheme.

    `residual` counts kept rows that are at least tau like a kept row before them; `ruined` counts
    dropped rows that are tau like no kept row at all, which is text lost; `dropped_false` counts
    dropped rows that are not like the row named for them (null if a scheme names none).
    """
    kept, dropped = found.kept, np.flatnonzero(~found.kept)
    oracle_kept = truth.kept_by < 0
    left, right = truth.pairs.left, truth.pairs.right
    residual = np.unique(right[kept[left] & kept[right]])
    covered = np.zeros(len(kept), dtype=bool)
    covered[right[kept[left]]] = True
    covered[left[kept[right]]] = True
    ruined = int((~covered[dropped]).sum())
    false = _false_to_named(found, truth, dropped)
    return {
        "dropped": len(dropped),
        "dropped_false": false,
        "dropped_true_to_named_row": (
            None if false is None else _share(len(dropped) - false, len(dropped))
        ),
        "dropped_true_to_a_kept_row": _share(len(dropped) - ruined, len(dropped)),
        "ruined": ruined,
        "residual": len(residual),
        "residual_share_of_kept": _share(len(residual), int(kept.sum())),
        "residual_share_of_duplicates": _share(len(residual), int((~oracle_kept).sum())),
        "kept_set_difference": _share(int((kept != oracle_kept).sum()), int(oracle_kept.sum())),
    }


def _false_to_named(found: Decisions, truth: Truth, dropped: Ints) -> int | None:
    """Return how many dropped rows are below tau to the row named for them, or it is not kept."""
    if found.kept_by is None:
        return None
    named = found.kept_by[dropped]
    is_true = truth.sets.jaccard(named, dropped) >= truth.tau - EPSILON
    return int((~(is_true & found.kept[named])).sum())


def _share(part: int, whole: int) -> float:
    return round(part / whole, 5) if whole else 1.0 if part else 0.0
