"""Bilinear resampling beside the processors of transformers, on the host and on the device."""

from types import SimpleNamespace

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from transformers.image_transforms import get_size_with_aspect_ratio
from transformers.models.owlv2.image_processing_pil_owlv2 import Owlv2ImageProcessorPil

from tasks.vision.device import Device
from tasks.vision.published import CLIP
from tasks.vision.resampling import BILINEAR, PADDED_SQUARE, ResampledPixels, Resampler
from tasks.vision.sizes import shorter_side_to

SIZES = [(90, 60), (60, 90), (640, 427), (33, 200)]


def rgb(width: int, height: int) -> np.ndarray:
    random = np.random.default_rng(width * height)
    coarse = random.integers(0, 255, (height // 8 + 2, width // 8 + 2, 3), dtype=np.uint8)
    soft = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_LINEAR)
    return (soft // 2 + random.integers(0, 128, soft.shape, dtype=np.uint8)).astype(np.uint8)


def on_device(resampler: Resampler, pixels: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    levels = torch.from_numpy(pixels).permute(2, 0, 1).float()
    return resampler.on_device(levels, size).permute(1, 2, 0).numpy()


@pytest.mark.parametrize(("width", "height"), SIZES)
def test_bilinear_is_pillows_on_host_and_within_a_level_on_the_device(width: int, height: int):
    pixels = rgb(width, height)
    pillow = np.asarray(Image.fromarray(pixels).resize((64, 64), Image.Resampling.BILINEAR))
    assert np.array_equal(BILINEAR.on_host(pixels, (64, 64)), pillow)
    assert np.abs(on_device(BILINEAR, pixels, (64, 64)) - pillow).max() <= 1


@pytest.mark.parametrize(("width", "height"), [*SIZES, (1500, 1000)])
def test_padded_square_is_that_of_the_published_processor(width: int, height: int):
    pixels = rgb(width, height)
    size = {"height": 240, "width": 240}
    theirs = Owlv2ImageProcessorPil(size=size, do_normalize=False)(pixels, return_tensors="np")
    expected = theirs["pixel_values"][0].transpose(1, 2, 0) * 255
    for ours in (
        PADDED_SQUARE.on_host(pixels, (240, 240)),
        on_device(PADDED_SQUARE, pixels, (240, 240)),
    ):
        # where a picture grows, scipy mirrors beyond the border and others repeat its last pixel
        inner = np.abs(ours - expected)[2:-2, 2:-2]
        assert inner.max() < 0.5
        assert np.abs(ours - expected).mean() < 0.2


def test_padding_is_black_below_and_to_the_right():
    square = PADDED_SQUARE.on_host(np.full((40, 80, 3), 200, dtype=np.uint8), (80, 80))
    assert (square[:40] == 200).all()
    assert (square[40:] == 0).all()


@pytest.mark.parametrize("resampler", [BILINEAR, PADDED_SQUARE])
def test_batches_are_normalised_by_the_published_statistics(resampler: Resampler):
    pixels = ResampledPixels(Device("cpu", "fp32"), resampler, *CLIP)
    staged = [pixels.staged(rgb(50, 50), (32, 32)), pixels.staged(rgb(70, 70), (32, 32))]
    batch = pixels.batch(staged, (32, 32))
    assert batch.shape == (2, 3, 32, 32)
    mean, std = (np.asarray(values) for values in CLIP)
    expected = (resampler.on_host(rgb(70, 70), (32, 32)) / 255 - mean) / std
    assert np.allclose(batch[1].numpy().transpose(1, 2, 0), expected, atol=1e-5)


@given(st.integers(1, 4000), st.integers(1, 4000), st.sampled_from([(800, 1333), (64, 107)]))
def test_shorter_side_is_rounded_as_the_library_rounds(
    width: int, height: int, sides: tuple[int, int]
):
    high, wide = get_size_with_aspect_ratio((height, width), *sides)
    assert shorter_side_to(width, height, *sides) == (max(1, wide), max(1, high))


def test_pixels_use_the_statistics_of_the_constants():
    theirs = SimpleNamespace(
        mean=Owlv2ImageProcessorPil.image_mean, std=Owlv2ImageProcessorPil.image_std
    )
    assert tuple(theirs.mean) == tuple(CLIP[0])
    assert tuple(theirs.std) == tuple(CLIP[1])
