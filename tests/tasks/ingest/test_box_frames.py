from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.images.decode import upright
from sightline.boxes import Box, px_to_square_frac
from sightline.errors import Failure
from tasks.ingest.box_frames import (
    boxes_px,
    clip_all,
    require_agreement,
    some_size_fits,
    upright_boxes,
)
from tasks.ingest.source import Convention, RowRefusedError


@pytest.mark.parametrize(
    ("convention", "box"),
    [
        (Convention.PX, (10.0, 20.0, 30.0, 40.0)),
        (Convention.UNIT, (0.1, 0.4, 0.3, 0.8)),
        (Convention.UNIT_1000, (100.0, 400.0, 300.0, 800.0)),
        (Convention.PADDED_SQUARE, (0.1, 0.45, 0.3, 0.65)),
    ],
)
def test_boxes_px_same_box_in_each_convention_gives_same_pixels(convention: Convention, box: Box):
    assert boxes_px([box], convention, (100, 50)) == (pytest.approx((10, 20, 30, 40)),)


def test_clip_all_box_reaching_out_is_clipped_and_counted():
    found = clip_all([(-5.0, 2.0, 20.0, 8.0), (1.0, 1.0, 9.0, 9.0)], (10, 10))
    assert found.boxes == ((0.0, 2.0, 10.0, 8.0), (1.0, 1.0, 9.0, 9.0))
    assert found.n_clipped == 1


@pytest.mark.parametrize(
    ("box", "code"),
    [
        ((5.0, 5.0, 5.0, 9.0), Failure.BOX_DEGENERATE),
        ((6.0, 5.0, 5.0, 9.0), Failure.BOX_DEGENERATE),
        ((11.0, 1.0, 12.0, 2.0), Failure.BOX_OUTSIDE),
        ((10.0, 1.0, 12.0, 2.0), Failure.BOX_OUTSIDE),
    ],
)
def test_clip_all_useless_box_refuses_the_row(box: Box, code: Failure):
    with pytest.raises(RowRefusedError) as caught:
        clip_all([(1.0, 1.0, 2.0, 2.0), box], (10, 10))
    assert caught.value.problem.code == code


@pytest.mark.parametrize("orientation", range(1, 9))
def test_upright_boxes_turn_with_the_pixels(orientation: int):
    stored = np.zeros((6, 9, 3), dtype=np.uint8)
    stored[1:3, 2:7] = 255
    (box,) = upright_boxes([(2.0, 1.0, 7.0, 3.0)], orientation, (9, 6))
    rows, columns = np.nonzero(upright(stored, orientation)[:, :, 0])
    assert box == (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)


sides = st.integers(20, 5000)


@st.composite
def stated_twice(draw: st.DrawFn):
    """Size, a pixel box of at least 10 px, and its three-digit padded-square fractions."""
    width, height = draw(sides), draw(sides)
    x0, y0 = draw(st.integers(0, width - 11)), draw(st.integers(0, height - 11))
    x1, y1 = draw(st.integers(x0 + 10, width)), draw(st.integers(y0 + 10, height))
    box = (float(x0), float(y0), float(x1), float(y1))
    square = tuple(round(v, 3) for v in px_to_square_frac(box, width, height))
    return (width, height), box, square


@given(stated_twice())
def test_require_agreement_rounded_statements_agree(case: tuple[Any, ...]):
    size, box, square = case
    require_agreement([box], [square], size)
    assert some_size_fits(box, square)


def test_require_agreement_unpadded_fractions_are_refused():
    box, size = (100.0, 10.0, 300.0, 90.0), (400, 100)
    unpadded = (0.25, 0.1, 0.75, 0.9)
    with pytest.raises(RowRefusedError) as caught:
        require_agreement([box], [unpadded], size)
    assert caught.value.problem.code == Failure.BOX_CONVENTION
    assert not some_size_fits(box, unpadded)
