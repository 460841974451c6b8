import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from tasks.segment.masks import segments_of
from tasks.segment.preprocess import MIN_AREA_PX, STRIDE, MaskRule

NAMES = ("background", "red sphere", "blue box")
RULE = MaskRule(input_px=64)


def scene() -> np.ndarray:
    labels = np.zeros((64, 96), dtype=np.intp)
    labels[10:20, 10:30] = 1
    labels[30:50, 40:70] = 2
    labels[30:40, 5:15] = 1
    labels[0, 0] = 2  # below the least area
    return labels


def test_segments_of_regions_are_split_by_label_and_place_largest_first():
    found = segments_of(scene(), np.full((64, 96), 0.75, dtype=np.float32), NAMES, RULE)
    assert [(s.label, s.area_px) for s in found] == [
        ("blue box", 600),
        ("red sphere", 200),
        ("red sphere", 100),
    ]
    assert found[0].box == (40 / 96, 30 / 64, 70 / 96, 50 / 64)
    assert found[0].score == pytest.approx(0.75)


def test_segments_of_score_is_the_mean_over_the_mask():
    scores = np.zeros((64, 96), dtype=np.float32)
    scores[30:40, 40:70] = 1.0
    found = segments_of(scene(), scores, NAMES, RULE)
    assert [s.score for s in found] == [0.5, 0.0, 0.0]


def test_segments_of_touching_at_a_corner_is_one_region():
    labels = np.zeros((64, 64), dtype=np.intp)
    labels[0:8, 0:8] = labels[8:16, 8:16] = 1
    assert len(segments_of(labels, np.ones((64, 64), np.float32), NAMES, RULE)) == 1


def test_segments_of_more_than_allowed_keeps_the_largest():
    rule = MaskRule(input_px=64, max_segments=1)
    found = segments_of(scene(), np.ones((64, 96), np.float32), NAMES, rule)
    assert [s.label for s in found] == ["blue box"]


@given(hnp.arrays(np.intp, (24, 32), elements=st.integers(0, 2)))
def test_segments_of_any_map_are_disjoint_tight_and_ordered(labels: np.ndarray):
    labels = labels.repeat(4, axis=0).repeat(4, axis=1)
    found = segments_of(labels, np.ones(labels.shape, np.float32), NAMES, RULE)
    assert sum(s.mask.astype(int) for s in found).max(initial=0) <= 1 if found else True
    assert [s.area_px for s in found] == sorted((s.area_px for s in found), reverse=True)
    for segment in found:
        ys, xs = np.nonzero(segment.mask)
        tight = (xs.min() / 128, ys.min() / 96, (xs.max() + 1) / 128, (ys.max() + 1) / 96)
        assert segment.box == tight
        assert segment.area_px == len(xs) >= MIN_AREA_PX
        assert (labels[segment.mask] == NAMES.index(segment.label)).all()


@given(st.integers(1, 5000), st.integers(1, 5000), st.sampled_from([64, 192, 512]))
def test_mask_rule_size_is_on_the_grid_and_bounded(width: int, height: int, px: int):
    w, h = MaskRule(px).size(width, height)
    assert w % STRIDE == h % STRIDE == 0
    assert min(w, h) == pytest.approx(px, abs=STRIDE / 2)
    assert max(w, h) <= 8 * px


@pytest.mark.parametrize(
    ("picture", "grid"), [((256, 192), (256, 192)), ((640, 480), (256, 192)), ((1, 9), (192, 1536))]
)
def test_mask_rule_size_of_known_pictures(picture, grid):  # noqa: ANN001
    assert MaskRule(192).size(*picture) == grid
