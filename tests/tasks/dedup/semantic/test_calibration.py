import pytest

from tasks.dedup.semantic.calibration import calibrated, wilson


@pytest.mark.parametrize(
    ("hits", "count", "interval"),
    [
        (0, 0, (0.0, 1.0)),
        (8, 10, (0.4902, 0.9433)),
        (0, 20, (0.0, 0.1611)),
        (20, 20, (0.8389, 1.0)),
    ],
)
def test_wilson_interval_is_the_published_one(
    hits: int, count: int, interval: tuple[float, float]
):  # Wilson 1927; values of R's binom.wilson
    assert wilson(hits, count) == pytest.approx(interval, abs=1e-4)


def test_calibrated_is_lowest_threshold_of_wanted_precision():
    cosines = [0.99, 0.98, 0.97, 0.96, 0.95, 0.94]
    labels = [True, True, True, False, True, False]
    found = calibrated(cosines, labels, precision=0.8)
    assert (found.cosine, found.pairs, found.precision) == (0.95, 5, 0.8)
    assert found.recall == 1.0
    strict = calibrated(cosines, labels, precision=1.0)
    assert (strict.cosine, strict.recall) == (0.97, 0.75)


def test_calibrated_equal_cosines_are_never_cut_apart():
    found = calibrated([0.9, 0.9, 0.8], [True, False, True], precision=0.5)
    assert (found.cosine, found.pairs) == (0.8, 3)
    with pytest.raises(ValueError, match="no threshold"):
        calibrated([0.9, 0.9, 0.8], [True, False, True], precision=0.9)


def test_calibrated_small_sample_reaches_a_precision_without_proving_it():
    found = calibrated([0.9] * 20, [True] * 20)
    assert found.precision == 1.0
    assert not found.proves(0.99)
    assert calibrated([0.9] * 381, [True] * 381).proves(0.99)


@pytest.mark.parametrize("labels", [[], [False, False]])
def test_calibrated_without_true_pairs_is_an_error(labels: list[bool]):
    with pytest.raises(ValueError, match="no threshold"):
        calibrated([0.9] * len(labels), labels)


def test_calibrated_numbers_and_labels_must_match():
    with pytest.raises(ValueError, match="a label per pair"):
        calibrated([0.9], [])
