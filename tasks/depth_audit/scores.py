"""Rows of `depth_scores`: what was measured, of what, and over how much."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from enum import StrEnum

import pyarrow as pa

from sightline.ids import content_id
from sightline.schemas import DEPTH_SCORES


class Measure(StrEnum):
    """What a row measures; `depth_scores.measure`.

    abs_rel, delta1, spearman, point_order, valid_share
        of one picture against true depth: mean relative error, share of pixels within a factor of
        1.25, rank correlation, share of point pairs in right order, share of pixels with a truth.
    object_order, object_kept, object_error
        of the objects of one picture against true depth: share of pairs in right order, share of
        pairs that the rule decides, root mean square error of medians in nearness.
    human_order
        of one labelled picture: 1 if the map agrees with the label, 0 if not, 0.5 for a tie.
    order_flipped, claim_reversed, claim_lost, median_shift
        of noise: share of pairs whose order turns, share of decided pairs that are then decided
        the other way, share that are then left open, root mean square change of medians.
    """

    ABS_REL = "abs_rel"
    DELTA1 = "delta1"
    SPEARMAN = "spearman"
    POINT_ORDER = "point_order"
    VALID_SHARE = "valid_share"
    OBJECT_ORDER = "object_order"
    OBJECT_KEPT = "object_kept"
    OBJECT_ERROR = "object_error"
    HUMAN_ORDER = "human_order"
    ORDER_FLIPPED = "order_flipped"
    CLAIM_REVERSED = "claim_reversed"
    CLAIM_LOST = "claim_lost"
    MEDIAN_SHIFT = "median_shift"


class Audit(StrEnum):
    """What depth is compared with; `depth_scores.audit`."""

    NOISE = "noise"
    TRUTH = "truth"
    HUMAN = "human"


class Pairs(StrEnum):
    """Which pairs of objects a measure is over; `depth_scores.pairs`."""

    DECIDED = "decided"
    AMBIGUOUS = "ambiguous"
    ALL = "all"


@dataclass(frozen=True, slots=True)
class Subject:
    """What is audited and with what it is compared."""

    audit: Audit
    benchmark: str
    benchmark_sha: str
    item_id: str
    model: str
    weights_sha: str
    preproc_id: str


@dataclass(frozen=True, slots=True)
class Score:
    """One measure; the fields are columns of `depth_scores`."""

    measure: Measure
    value: float | None
    n: int
    pairs: Pairs | None = None
    noise_sd: float | None = None
    bin_low: float | None = None
    bin_high: float | None = None
    note: str | None = None


def score_rows(subject: Subject, scores: Iterable[Score]) -> pa.Table:
    """Return payload rows of `depth_scores`."""
    return DEPTH_SCORES.rows(
        {"score_id": _id(subject, score), **asdict(subject), **asdict(score)} for score in scores
    )


def _id(subject: Subject, score: Score) -> str:
    condition = (score.measure, score.pairs, score.noise_sd, score.bin_low)
    said = (None if each is None else str(each) for each in condition)
    return content_id("score", *map(str, asdict(subject).values()), *said)
