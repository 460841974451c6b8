import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from infra.images.masks import decode_mask, encode_mask


@given(hnp.arrays(np.bool_, st.tuples(st.integers(1, 40), st.integers(1, 40))))
def test_encode_decode_mask_is_the_identity(mask: np.ndarray):
    height, width = mask.shape
    assert np.array_equal(decode_mask(encode_mask(mask), width, height), mask)


def test_encode_mask_runs_down_the_columns_as_coco_counts():
    mask = np.zeros((3, 2), dtype=np.bool_)
    mask[:, 1] = True
    assert encode_mask(mask) == "33"  # 3 false, then 3 true
