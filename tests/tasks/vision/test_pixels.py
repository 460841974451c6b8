"""Resampling against the reference implementations: OpenCV's kernel and Pillow's."""

import cv2
import numpy as np
import pytest
import torch
from PIL import Image

from tasks.vision.device import Device
from tasks.vision.pictures import Resample
from tasks.vision.pixels import Pixels, resized_on_device, resized_on_host

RANDOM = np.random.default_rng(11)
SIZES = [(168, 126), (70, 42), (42, 98), (300, 290), (128, 97)]
"""Of a picture of 128 x 97: enlarged, shrunk, squeezed, and as it is."""

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def photo() -> np.ndarray:
    noise = RANDOM.integers(0, 256, (97, 128, 3), dtype=np.uint8)
    return np.hstack([noise[:, :64], cv2.GaussianBlur(noise, (9, 9), 0)[:, 64:]])


def official(rgb: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """As `image2tensor` and `Resize` of Depth-Anything-V2 do it: float pixels, INTER_CUBIC."""
    return 255 * cv2.resize(rgb / 255.0, size, interpolation=cv2.INTER_CUBIC)


def on_device(rgb: np.ndarray, size: tuple[int, int], resample: Resample) -> np.ndarray:
    return resized_on_device(torch.from_numpy(rgb), size, resample).permute(1, 2, 0).numpy()


@pytest.mark.parametrize("size", SIZES)
def test_official_resampling_is_opencv_on_floats_on_host_and_device(size: tuple[int, int]):
    rgb = photo()
    expected = official(rgb, size)
    for found in (
        resized_on_host(rgb, size, Resample.OFFICIAL),
        on_device(rgb, size, Resample.OFFICIAL),
    ):
        assert np.abs(found - expected).max() < 0.01
    if size != (128, 97):
        assert expected.min() < 0
        assert expected.max() > 255  # overshoot is kept, as there


@pytest.mark.parametrize("size", SIZES)
def test_antialiased_resampling_is_pillow_on_host_and_within_a_level_on_device(
    size: tuple[int, int],
):
    rgb = photo()
    expected = np.asarray(Image.fromarray(rgb).resize(size, Image.Resampling.BICUBIC))
    assert np.array_equal(resized_on_host(rgb, size, Resample.ANTIALIAS), expected)
    assert np.abs(on_device(rgb, size, Resample.ANTIALIAS) - expected).max() <= 1


def test_the_two_differ_where_a_picture_shrinks():
    rgb = photo()
    apart = resized_on_host(rgb, (42, 28), Resample.OFFICIAL) - resized_on_host(
        rgb, (42, 28), Resample.ANTIALIAS
    )
    assert np.abs(apart).mean() > 5


@pytest.mark.parametrize("resample", list(Resample))
def test_batch_is_normalised_and_channels_last(resample: Resample):
    rgb = photo()
    pixels = Pixels(Device("cpu", "fp32"), resample, MEAN, STD)
    staged = [pixels.staged(picture, (42, 28)) for picture in (rgb, rgb[::-1])]
    batch = pixels.batch(staged, (42, 28))
    assert batch.shape == (2, 3, 28, 42)
    assert batch.dtype == torch.float32
    assert batch.is_contiguous(memory_format=torch.channels_last)
    levels = resized_on_host(rgb, (42, 28), resample)
    expected = ((levels / 255 - MEAN) / STD).transpose(2, 0, 1)
    assert np.abs(batch[0].numpy() - expected).max() < 1e-5


def test_staged_pixels_do_not_alias_what_the_decoder_owns():
    rgb = photo()
    rgb.flags.writeable = False
    staged = Pixels(Device("cpu"), Resample.OFFICIAL, MEAN, STD).staged(rgb, (128, 97))
    assert torch.equal(staged, torch.from_numpy(rgb.copy()))
