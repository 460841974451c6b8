import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.depth.preprocess import (
    MAX_ASPECT,
    PATCH,
    Preprocessing,
    default_max_tokens,
    target_size,
)
from tasks.vision.pictures import Resample

UNLIMITED = 10**9


def official_size(width: int, height: int, side: int) -> tuple[int, int]:
    """`Resize.get_size` of Depth-Anything-V2 with keep_aspect_ratio and lower_bound."""

    def constrain(x: float, min_val: int) -> int:
        y = (np.round(x / 14) * 14).astype(int)
        return int((np.ceil(x / 14) * 14).astype(int) if y < min_val else y)

    scale_height, scale_width = side / height, side / width
    scale = max(scale_height, scale_width)
    return constrain(np.float64(scale * width), side), constrain(np.float64(scale * height), side)


sides = st.integers(1, 6000)


@given(sides, sides, st.sampled_from([126, 252, 518, 770]))
def test_target_size_is_the_official_one_wherever_no_limit_applies(w: int, h: int, px: int):
    if max(w, h) / min(w, h) < MAX_ASPECT:
        assert target_size(w, h, px, UNLIMITED) == official_size(w, h, px)


@pytest.mark.parametrize(
    ("picture", "input_px", "expected"),
    [
        ((640, 427), 518, (770, 518)),  # COCO; the transformers processor gives 518 x 350
        ((427, 640), 518, (518, 770)),
        ((256, 192), 126, (168, 126)),
        ((192, 256), 126, (126, 168)),
        ((518, 518), 518, (518, 518)),
        ((1, 1), 126, (126, 126)),
    ],
)
def test_target_size_of_known_pictures(picture, input_px, expected):  # noqa: ANN001
    assert target_size(*picture, input_px, default_max_tokens(input_px)) == expected


@given(sides, sides, st.sampled_from([126, 518]), st.integers(1, 6))
def test_target_size_is_always_bounded_and_on_the_grid(w: int, h: int, px: int, squares: int):
    limit = squares * (px // PATCH) ** 2
    width, height = target_size(w, h, px, limit)
    assert width % PATCH == height % PATCH == 0
    assert min(width, height) >= PATCH
    assert width * height <= limit * PATCH**2


def test_target_size_of_a_panorama_is_held_to_aspect_and_tokens():
    assert target_size(100_000, 1_000, 518, UNLIMITED) == (8 * 518, 518)
    width, height = target_size(100_000, 1_000, 518, default_max_tokens(518))
    assert (width // PATCH) * (height // PATCH) <= default_max_tokens(518)
    assert width / height == pytest.approx(8, rel=0.05)


@pytest.mark.parametrize(("px", "tokens"), [(0, 99), (100, 999), (-14, 99), (126, 80)])
def test_preprocessing_that_fits_no_picture_is_refused(px: int, tokens: int):
    with pytest.raises(ValueError, match="expected"):
        Preprocessing(px, tokens, "fp32")


def test_preproc_id_changes_with_everything_that_changes_the_input():
    ids = {
        Preprocessing(126, 324, "fp32").preproc_id,
        Preprocessing(140, 324, "fp32").preproc_id,
        Preprocessing(126, 400, "fp32").preproc_id,
        Preprocessing(126, 324, "bf16").preproc_id,
        Preprocessing(126, 324, "fp32", Resample.ANTIALIAS).preproc_id,
    }
    assert len(ids) == 5


def test_target_size_agrees_with_the_card_of_the_embedded_weights(repo_root: Path):
    path = repo_root / "tasks/depth/embedded/card.json"
    if not path.is_file():
        pytest.skip("the embedded weights are not in this checkout")
    stated = json.loads(path.read_text())["preprocessing"]
    assert (stated["input_px"], stated["multiple"], stated["resample"]) == (126, PATCH, "bicubic")
