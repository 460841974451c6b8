"""Scores against true depth: known for maps that are made from it."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import spearmanr

from tasks.depth_audit.encodings import TrueDepth
from tasks.depth_audit.estimates import (
    Estimate,
    depth_cap,
    expected_nearness,
    fit_of,
    on_grid,
)
from tasks.depth_audit.object_scores import object_scores
from tasks.depth_audit.params import RATIO_EDGES, TruthParams
from tasks.depth_audit.pixel_scores import pixel_scores
from tasks.depth_audit.scores import Measure, Pairs, Score
from tasks.depth_audit.truth_rows import TruthRowError
from tasks.ground.build import objects_of
from tasks.ground.rules import GroundParams
from tests.tasks.depth_audit.maps import metric, relative, truth_of
from tests.tasks.depth_audit.truth_files import slope
from tests.tasks.ground.scenes import HEIGHT, WIDTH, depth_map, mask_of, segments

METRES = slope(HEIGHT, WIDTH)
PARAMS = TruthParams(point_pairs=4000)


def scores(estimate: Estimate, truth: TrueDepth, limit: float | None = None) -> dict:
    rng = np.random.default_rng(0)
    found = list(pixel_scores(estimate, truth, max_depth=limit, params=PARAMS, rng=rng))
    return {s.measure: s.value for s in found if s.bin_low is None}


@settings(deadline=None, max_examples=25)
@given(st.floats(0.01, 1000), st.floats(-300, 300))
def test_relative_map_of_any_scale_and_shift_is_fitted(scale: float, shift: float):
    found = scores(relative(scale / METRES + shift), truth_of(METRES))
    assert found[Measure.ABS_REL] < 5e-3  # 12-bit levels; float32 of a large shift
    assert found[Measure.DELTA1] == 1
    assert found[Measure.SPEARMAN] == pytest.approx(1, abs=1e-3)
    assert found[Measure.POINT_ORDER] == pytest.approx(1, abs=1e-3)


def test_metric_map_is_taken_as_it_is():
    found = scores(metric(2 * METRES), truth_of(METRES), limit=80.0)
    assert found[Measure.ABS_REL] == pytest.approx(1.0, abs=1e-3)
    assert found[Measure.DELTA1] == 0
    assert found[Measure.SPEARMAN] == pytest.approx(1, abs=1e-3)


def test_metric_map_against_a_truth_without_unit_gets_a_scale_alone():
    truth = truth_of(METRES / 7, is_metric=False)
    assert scores(metric(METRES), truth)[Measure.ABS_REL] < 2e-3
    assert scores(metric(METRES + 3), truth)[Measure.ABS_REL] > 0.1


def test_map_that_counts_the_wrong_way_is_worse_than_chance():
    found = scores(relative(METRES), truth_of(METRES))
    assert found[Measure.SPEARMAN] == pytest.approx(-1, abs=1e-3)
    assert found[Measure.POINT_ORDER] == pytest.approx(0, abs=1e-3)


def test_constant_map_orders_half_of_all_pairs_and_has_no_correlation():
    found = scores(relative(np.ones_like(METRES)), truth_of(METRES))
    assert found[Measure.POINT_ORDER] == 0.5
    assert found[Measure.SPEARMAN] is None


def test_figures_of_a_noisy_map_are_those_of_their_definitions():
    rng = np.random.default_rng(1)
    guess = METRES * np.exp(rng.normal(0, 0.3, METRES.shape))
    found = scores(metric(guess), truth_of(METRES), limit=80.0)
    ratio = np.maximum(guess / METRES, METRES / guess)
    assert found[Measure.ABS_REL] == pytest.approx(
        np.mean(np.abs(guess - METRES) / METRES), abs=2e-3
    )
    assert found[Measure.DELTA1] == pytest.approx(np.mean(ratio < 1.25), abs=2e-3)
    expected = spearmanr(guess.ravel(), METRES.ravel()).statistic
    assert found[Measure.SPEARMAN] == pytest.approx(expected, abs=1e-3)


def test_pixels_without_a_reading_do_not_count():
    truth = truth_of(METRES)
    wrong = METRES.copy()
    wrong[:40] = 1.0
    half = TrueDepth(
        truth.depth, truth.valid & (np.arange(HEIGHT)[:, None] >= 42), is_metric=True, note=None
    )
    assert scores(metric(wrong), half, limit=80.0)[Measure.ABS_REL] < 2e-3
    assert scores(metric(wrong), truth, limit=80.0)[Measure.ABS_REL] > 0.1


def test_point_order_is_split_by_the_ratio_of_depths():
    rng = np.random.default_rng(0)
    noisy = METRES * np.exp(rng.normal(0, 0.2, METRES.shape))
    found = list(
        pixel_scores(metric(noisy), truth_of(METRES), max_depth=80.0, params=PARAMS, rng=rng)
    )
    bins = [s for s in found if s.measure is Measure.POINT_ORDER and s.bin_low is not None]
    whole = next(s for s in found if s.measure is Measure.POINT_ORDER and s.bin_low is None)
    assert [s.bin_low for s in bins] == list(RATIO_EDGES[:-1])
    assert sum(s.n for s in bins) == whole.n
    assert bins[0].value < 0.75
    assert bins[-1].value > 0.95


def test_same_pairs_are_drawn_for_the_same_seed():
    estimate, truth = relative(1 / METRES), truth_of(METRES)
    assert scores(estimate, truth) == scores(estimate, truth)


def test_estimates_are_held_to_the_depth_that_the_benchmark_knows():
    assert depth_cap(truth_of(METRES), None) == 10
    assert depth_cap(truth_of(METRES * 5), None) == 80
    assert depth_cap(truth_of(METRES), 7.0) == 7
    assert depth_cap(truth_of(METRES, is_metric=False), None) == METRES.max()


def test_map_of_another_shape_is_an_error():
    with pytest.raises(TruthRowError, match="expected one picture"):
        on_grid(np.zeros((90, 90), np.float32), 96, 256)


def test_expected_nearness_of_a_right_map_is_its_own_nearness():
    for estimate in (relative(3 / METRES - 2), metric(METRES)):
        truth = truth_of(METRES)
        fit = fit_of(on_grid(estimate.values, HEIGHT, WIDTH), truth, is_metric=estimate.is_metric)
        assert np.abs(expected_nearness(truth, estimate, fit) - estimate.near).max() < 2e-3


NEAR, FAR, MIDDLE = (10, 30, 50, 70), (70, 20, 110, 60), (10, 75, 40, 95)


def object_scores_of(map_metres: np.ndarray, true_metres: np.ndarray) -> dict:
    maps = depth_map(1 / map_metres)
    objects = objects_of(segments([mask_of(r) for r in (NEAR, FAR, MIDDLE)]), maps).table
    found = object_scores(objects, relative(1 / map_metres), truth_of(true_metres), GroundParams())
    return {(s.measure, s.pairs): s for s in found}


def painted_metres(*depths: float) -> np.ndarray:
    metres = slope(HEIGHT, WIDTH, 1.5, 8)
    for rect, depth in zip((NEAR, FAR, MIDDLE), depths, strict=True):
        metres[mask_of(rect)] = depth
    return metres


def test_objects_of_a_right_map_are_in_order_and_err_by_nothing():
    metres = painted_metres(1.6, 5.0, 3.0)
    found = object_scores_of(metres, metres)
    assert found[Measure.OBJECT_ORDER, Pairs.DECIDED] == Score(
        Measure.OBJECT_ORDER, 1.0, 3, Pairs.DECIDED
    )
    assert found[Measure.OBJECT_KEPT, None].value == 1
    assert found[Measure.OBJECT_ERROR, None].value < 0.01


def test_objects_in_the_wrong_order_are_counted():
    found = object_scores_of(painted_metres(5.0, 1.6, 3.0), painted_metres(1.6, 5.0, 3.0))
    assert found[Measure.OBJECT_ORDER, Pairs.ALL].value == 0
    assert found[Measure.OBJECT_ERROR, None].value > 0.2


def test_objects_nearer_than_the_truth_tells_are_not_asked_about():
    found = object_scores_of(painted_metres(2.0, 5.0, 3.0), painted_metres(3.0, 3.05, 3.02))
    assert (Measure.OBJECT_ORDER, Pairs.ALL) not in found
