"""All scores of one picture: against its true depth, or against its label."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from infra.images.decode import ImageProblem, decode
from sightline.schemas import DEPTH_MAPS, SEGMENTS
from tasks.depth_audit.encodings import TrueDepth, read_truth
from tasks.depth_audit.estimates import estimate_of
from tasks.depth_audit.folders import HumanLabel
from tasks.depth_audit.human_scores import human_score
from tasks.depth_audit.markers import find_points
from tasks.depth_audit.noise import picture_rng
from tasks.depth_audit.object_scores import object_scores
from tasks.depth_audit.params import TruthParams
from tasks.depth_audit.pixel_scores import pixel_scores
from tasks.depth_audit.scores import Score
from tasks.depth_audit.tables import payload
from tasks.depth_audit.truth_rows import TruthRow, TruthRowError
from tasks.ground.build import objects_of
from tasks.ground.rules import GroundParams

Row = Mapping[str, Any]


def truth_scores(
    row: TruthRow,
    data: bytes,
    depth_map: Row,
    segments: Sequence[Row],
    ground: GroundParams,
    params: TruthParams,
) -> list[Score]:
    """Return the scores of a map against measured depth.

    Args:
        row: what the depth file is.
        data: the depth file.
        depth_map: `depth_maps` row of the picture.
        segments: `segments` rows of it; none to score no objects.
        ground: the rule that decides relations.
        params: how many point pairs, and the seed.

    Raises:
        TruthRowError: the depth file cannot be read as the row says, or is of another picture.
    """
    truth = _within(read_truth(data, row), row.max_depth_m)
    estimate = estimate_of(depth_map)
    rng = picture_rng(params.seed, row.item_id)
    limit = row.max_depth_m if truth.is_metric else None
    scores = list(pixel_scores(estimate, truth, max_depth=limit, params=params, rng=rng))
    if segments:
        objects = objects_of(payload(SEGMENTS, segments), payload(DEPTH_MAPS, [depth_map]), ground)
        scores += object_scores(objects.table, estimate, truth, ground)
    return scores


def label_scores(label: HumanLabel, data: bytes, depth_map: Row) -> Iterator[Score]:
    """Yield whether a map agrees with a label.

    Args:
        label: which point is nearer.
        data: the encoded picture, which holds the points if the label does not.
        depth_map: `depth_maps` row of the picture.

    Raises:
        TruthRowError: the points are not to be found, or lie outside the picture.
    """
    try:
        rgb = decode(data).rgb
    except ImageProblem as problem:
        raise TruthRowError(problem.detail, problem.code) from problem
    points = label.points or find_points(rgb)
    size = (rgb.shape[1], rgb.shape[0])
    yield human_score(estimate_of(depth_map), size, points, label.nearer)


def _within(truth: TrueDepth, max_depth: float | None) -> TrueDepth:
    if max_depth is None or not truth.is_metric:
        return truth
    return replace(truth, valid=truth.valid & (truth.depth <= max_depth))
