"""Passes that do not fit: a network that has memory for so many pictures and no more."""

from collections.abc import Sequence

import numpy as np
import pytest
import torch

from infra.images.decode import ImageProblem
from sightline.errors import Failure
from tasks.vision.batching import BatchSizes
from tasks.vision.device import Arrays, Device
from tasks.vision.pictures import Picture, Resample
from tasks.vision.pixels import Pixels
from tasks.vision.runner import Refused, Runner

SIZE = (8, 6)


class SmallMemory:
    """Says the mean of each picture; holds `most` of them at once."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.passes: list[int] = []

    def compute(self, pixels: torch.Tensor, pictures: Sequence[Picture]) -> Sequence[torch.Tensor]:
        assert len(pixels) == len(pictures)
        self.passes.append(len(pixels))
        if len(pixels) > self.most:
            msg = "CUDA out of memory. Tried to allocate 1 GiB."
            raise torch.OutOfMemoryError(msg)
        return [pixels.mean(dim=(1, 2, 3))]

    def said(self, arrays: Arrays, pictures: Sequence[Picture]) -> Sequence[float]:
        assert len(arrays[0]) == len(pictures)
        return arrays[0].tolist()


def runner() -> Runner:
    device = Device("cpu", "fp32")
    pixels = Pixels(device, Resample.ANTIALIAS, (0, 0, 0), (1, 1, 1))
    return Runner(device, pixels, BatchSizes(64 * SIZE[0] * SIZE[1]))


def pictures(count: int) -> list[tuple[Picture, torch.Tensor]]:
    return [
        (
            Picture(row, f"i{row}", *SIZE),
            torch.from_numpy(np.full((SIZE[1], SIZE[0], 3), row, dtype=np.uint8)),
        )
        for row in range(count)
    ]


@pytest.mark.parametrize("most", [1, 2, 3, 5, 20])
def test_infer_in_little_memory_says_the_same_in_order(most: int):
    network = SmallMemory(most)
    done = runner().infer(pictures(13), SIZE, network.compute, network.said)
    said = [value for one in done for value in one.wait()]
    assert said == pytest.approx([row / 255 for row in range(13)])
    assert [p.row for one in done for p in one.pictures] == list(range(13))


def test_infer_what_did_not_fit_is_not_tried_again():
    machine, network = runner(), SmallMemory(3)
    assert machine.batch_size(SIZE) == 64
    machine.infer(pictures(13), SIZE, network.compute, network.said)
    assert machine.batch_size(SIZE) <= 3
    network.passes.clear()
    machine.infer(pictures(machine.batch_size(SIZE)), SIZE, network.compute, network.said)
    assert len(network.passes) == 1


def test_infer_picture_that_fits_no_memory_is_refused_alone():
    network = SmallMemory(0)
    done = runner().infer(pictures(2), SIZE, network.compute, network.said)
    assert [type(one) for one in done] == [Refused, Refused]
    with pytest.raises(ImageProblem, match="8 x 6") as caught:
        done[0].wait()
    assert caught.value.code is Failure.IMAGE_TOO_LARGE


def test_infer_other_errors_are_not_taken_for_memory():
    def broken(pixels: torch.Tensor, pictures: Sequence[Picture]) -> Sequence[torch.Tensor]:
        del pixels, pictures
        msg = "device-side assert"
        raise RuntimeError(msg)

    with pytest.raises(RuntimeError, match="assert"):
        runner().infer(pictures(4), SIZE, broken, SmallMemory(9).said)
