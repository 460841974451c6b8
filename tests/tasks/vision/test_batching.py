import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.vision.batching import FIRST_BATCH, USABLE_SHARE, BatchSizes

SQUARE = (518, 518)
PIXELS = 518 * 518
GIB = 1 << 30


def test_size_on_a_cpu_is_what_pays():
    sizes = BatchSizes(4 * PIXELS)
    assert sizes.size(SQUARE) == 4
    assert sizes.size((259, 518)) == 8
    assert sizes.size((5180, 5180)) == 1


def test_size_before_the_first_pass_is_small_whatever_is_free():
    assert BatchSizes(64 * PIXELS).size(SQUARE, 80 * GIB) == FIRST_BATCH


@pytest.mark.parametrize(
    ("free_gib", "expected"),
    [(200, 64), (80, 56), (20, int(USABLE_SHARE * 20)), (2, 1), (0, 1)],
)
def test_size_after_a_pass_of_one_gib_a_picture(free_gib: int, expected: int):
    sizes = BatchSizes(64 * PIXELS)
    sizes.learn(SQUARE, 4, 4 * GIB)
    assert sizes.size(SQUARE, free_gib * GIB) == expected


def test_learn_keeps_the_largest_need():
    sizes = BatchSizes(64 * PIXELS)
    sizes.learn(SQUARE, 1, GIB)
    sizes.learn(SQUARE, 64, GIB)
    assert sizes.size(SQUARE, 20 * GIB) == int(USABLE_SHARE * 20)


def test_halve_is_remembered_for_every_shape():
    sizes = BatchSizes(64 * PIXELS)
    sizes.learn(SQUARE, 4, 4)
    sizes.halve(SQUARE, 40)
    assert sizes.size(SQUARE, 80 * GIB) == 20
    assert sizes.size((259, 518), 80 * GIB) == 40
    sizes.halve(SQUARE, 1)
    assert sizes.size(SQUARE, 80 * GIB) == 1


sides = st.integers(14, 6000)


@given(sides, sides, st.integers(0, 1 << 37), st.integers(1, 1 << 34))
def test_size_never_exceeds_memory_or_falls_below_one(w: int, h: int, free: int, used: int):
    sizes = BatchSizes(64 * PIXELS)
    sizes.learn((w, h), 1, used)
    size = sizes.size((w, h), free)
    assert 1 <= size <= 64
    assert size == 1 or size * used <= USABLE_SHARE * free * (1 + 1e-9)
