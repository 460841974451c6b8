"""Noise of a known size and smoothness, and counts that a slow loop gives as well."""

from itertools import combinations, pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sightline.schemas import DEPTH_MAPS, SEGMENTS
from tasks.depth_audit.flips import FlipCounts, Orders
from tasks.depth_audit.noise import disturbed, noise_fields, smooth_noise
from tasks.depth_audit.params import MARGIN_EDGES, NoiseParams
from tasks.depth_audit.scores import Measure, Pairs
from tasks.ground.relations import leads
from tasks.ground.rules import GroundParams
from tests.tasks.ground.layouts import layouts
from tests.tasks.ground.scenes import Rect, depth_map, mask_of, painted, segments

Layout = tuple[list[Rect], list[float]]
RULES = GroundParams()


def counts(rects: list[Rect], values: np.ndarray, params: NoiseParams) -> FlipCounts:
    rows = segments([mask_of(r) for r in rects]).to_pylist()
    return disturbed(rows, depth_map(values).to_pylist()[0], RULES, params)


@pytest.mark.parametrize("size", [(96, 128), (375, 1242), (518, 518)])
def test_noise_has_the_size_and_smoothness_that_was_asked_for(size: tuple[int, int]):
    rng = np.random.default_rng(0)
    fields = np.stack([smooth_noise(rng, *size, 0.05) for _ in range(30)])
    assert fields.shape == (30, *size)
    assert fields.std() == pytest.approx(1, abs=0.06)
    assert abs(fields.mean()) < 0.05
    sd_px = 0.05 * min(size)
    for px in (1, round(sd_px), round(4 * sd_px)):
        expected = np.exp(-((px / sd_px) ** 2) / 4)  # of white noise under a Gaussian
        found = np.mean(fields[:, :, :-px] * fields[:, :, px:])
        assert found == pytest.approx(expected, abs=0.1)


def test_noise_depends_on_seed_and_picture_alone():
    params = NoiseParams(draws=2)
    first = [f.copy() for f in noise_fields("a", 40, 60, params)]
    again = list(noise_fields("a", 40, 60, params))
    assert np.array_equal(first, again)
    assert not np.array_equal(first[0], first[1])
    assert not np.array_equal(first, list(noise_fields("b", 40, 60, params)))
    assert not np.array_equal(first, list(noise_fields("a", 40, 60, NoiseParams(1, draws=2))))


@settings(deadline=None, max_examples=20)
@given(layouts(), st.floats(0.01, 0.99))
def test_no_decided_relation_turns_under_noise_below_half_its_margin(layout: Layout, share: float):
    rects, depths = layout
    values = painted(rects, depths)
    largest = max(float(np.abs(f).max()) for f in noise_fields("a", 96, 128, NoiseParams()))
    margin = MARGIN_EDGES[3]
    found = counts(rects, values, NoiseParams(levels=(share * margin / 2 / largest,)))
    assert found.flipped[0, 0, 3:].sum() == 0
    assert found.reversed.sum() == 0


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 2**31), st.integers(2, 6))
def test_counts_are_those_of_a_slow_loop_over_pairs(seed: int, n: int):
    rng = np.random.default_rng(seed)
    levels = (0.02, 0.3)
    medians, spreads = rng.uniform(0, 1, n), rng.uniform(0, 0.3, n)
    if n > 3:
        medians[1] = medians[0]  # a tie
    moved = medians + np.asarray(levels)[:, None] * rng.normal(size=n)
    before = Orders(medians[None], *leads(medians[None], spreads[None], 0.05, RULES))
    after = Orders(moved, *leads(moved, np.stack([spreads] * 2), 0.05, RULES))
    known = np.triu(rng.random((n, n)) < 0.8, k=1)
    found = FlipCounts.between(levels, before, after, known)

    slow = FlipCounts.none(levels)
    for level in range(2):
        for a, b in combinations(range(n), 2):
            if not known[a, b]:
                continue
            lead, later = medians[a] - medians[b], moved[level, a] - moved[level, b]
            least = max(0.05, (spreads[a] + spreads[b]) / 4)
            kind = 0 if abs(lead) > least else 1
            bins = [i for i, (lo, hi) in enumerate(pairwise(MARGIN_EDGES))
                    if lo < abs(lead) <= hi]  # fmt: skip
            at = (level, kind, bins[0] if bins else 0)
            slow.pairs[at] += 1
            slow.flipped[at] += 0.5 if lead == 0 else float(lead * later < 0)
            slow.reversed[at] += lead != 0 and lead * later < 0 and abs(later) > least
            slow.lost[at] += kind == 0 and abs(later) <= least
    for name in ("pairs", "flipped", "reversed", "lost"):
        assert np.array_equal(getattr(found, name), getattr(slow, name)), name
    assert found.shift == pytest.approx(((moved - medians) ** 2).sum(axis=1))


RECTS: list[Rect] = [(2, 2, 30, 30), (34, 2, 62, 30), (66, 2, 94, 30), (2, 50, 30, 90)]


def test_more_noise_turns_more_and_wider_margins_turn_less():
    values = painted(RECTS, [8.0, 7.0, 6.0, 2.0])
    params = NoiseParams(levels=(0.0, 0.05, 0.2, 1.0, 20.0), draws=40)
    found = counts(RECTS, values, params)
    assert found.pairs.sum(axis=(1, 2)).tolist() == [6 * 40] * 5
    turned = found.flipped.sum(axis=(1, 2)) / found.pairs.sum(axis=(1, 2))
    assert turned[0] == 0
    assert list(turned) == sorted(turned)
    assert turned[-1] == pytest.approx(0.5, abs=0.12)
    wide, narrow = found.flipped[2, 0, 6:].sum(), found.flipped[2, 0, :6].sum()
    assert wide / found.pairs[2, 0, 6:].sum() < narrow / found.pairs[2, 0, :6].sum()


def test_medians_of_large_objects_move_by_less_than_the_noise():
    values = painted(RECTS, [8.0, 7.0, 6.0, 2.0])
    scores = list(counts(RECTS, values, NoiseParams(levels=(0.1,), draws=40)).scores())
    (shift,) = [s for s in scores if s.measure is Measure.MEDIAN_SHIFT]
    assert 0.01 < shift.value < 0.1
    assert shift.n == 4 * 40
    assert {s.pairs for s in scores if s.measure is Measure.CLAIM_LOST} == {Pairs.DECIDED}


def test_pictures_without_two_objects_count_nothing():
    values = painted(RECTS[:1], [8.0])
    assert counts(RECTS[:1], values, NoiseParams()).pairs.sum() == 0
    assert counts([], values, NoiseParams()).pairs.sum() == 0
    assert list(counts([], values, NoiseParams()).scores()) == []


def test_counts_of_pictures_add_up_in_any_order():
    params = NoiseParams(levels=(0.1,), draws=2)
    first = counts(RECTS, painted(RECTS, [8.0, 7.0, 6.0, 2.0]), params)
    second = counts(RECTS, painted(RECTS, [2.0, 6.0, 3.0, 2.5]), params)
    one, two = FlipCounts.none(params.levels), FlipCounts.none(params.levels)
    one += first
    one += second
    two += second
    two += first
    assert list(one.scores()) == list(two.scores())


def test_rows_that_carry_provenance_are_read():
    rows = segments([mask_of(r) for r in RECTS]).to_pylist()
    depth = depth_map(painted(RECTS, [8.0, 7.0, 6.0, 2.0])).to_pylist()[0]
    more = {"part": "p", "run_id": "r", "fingerprint": "f"}
    found = disturbed([r | more for r in rows], depth | more, RULES, NoiseParams(draws=1))
    assert found.pairs.sum() > 0
    assert "part" not in SEGMENTS.payload.names + DEPTH_MAPS.payload.names
