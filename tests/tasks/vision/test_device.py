import numpy as np
import pytest
import torch
from torch import nn

from sightline.errors import CheckpointError
from tasks.vision.device import Device, InFullPrecision


class Net(nn.Module):
    """Every kind of layer that is cast, one that is not, and one that must not be."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 8, 3, padding=1)
        self.norm = nn.GroupNorm(2, 8)
        self.up = nn.ConvTranspose2d(8, 8, 2, stride=2)
        self.mix = nn.Sequential(nn.Linear(8, 8), nn.GELU())
        self.last = InFullPrecision(nn.Conv2d(8, 1, 1))

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        features = self.up(self.norm(self.first(pixels)))
        return self.last(self.mix(features.permute(0, 2, 3, 1)).permute(0, 3, 1, 2))


def net() -> Net:
    torch.manual_seed(3)
    return Net()


def run(device: Device, placed: nn.Module) -> np.ndarray:
    pixels = torch.linspace(-1, 1, 2 * 3 * 8 * 8).view(2, 3, 8, 8)
    (values,) = device.run(lambda: pixels, lambda given: [placed(given)]).wait()
    return values


def test_weights_cast_once_give_what_autocast_gives():
    device = Device("cpu", "bf16")
    cast, plain = device.place(net()), device.place(net(), is_cast=False)
    assert cast.first.weight.dtype == cast.mix[0].weight.dtype == torch.bfloat16
    assert cast.norm.weight.dtype == torch.float32
    assert {p.dtype for p in cast.last.parameters()} == {torch.float32}
    assert {p.dtype for p in plain.parameters()} == {torch.float32}
    assert np.array_equal(run(device, cast), run(device, plain))


def test_bf16_is_near_fp32_and_not_the_same():
    half, full = (Device("cpu", precision) for precision in ("bf16", "fp32"))
    found, exact = run(half, half.place(net())), run(full, full.place(net()))
    assert found.dtype == exact.dtype == np.float32
    assert 0 < np.abs(found - exact).max() < 0.05


def test_auto_precision_is_one_of_the_two_and_known():
    assert Device("cpu").precision in {"fp32", "bf16"}


@pytest.mark.parametrize(
    ("name", "precision", "message"),
    [("cpu", "fp16", "precision"), ("tpu9", "fp32", "device"), ("quantum", "fp32", "device")],
)
def test_device_or_precision_that_does_not_exist_is_an_error(
    name: str, precision: str, message: str
):
    with pytest.raises(CheckpointError, match=message):
        Device(name, precision)


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a CUDA device")
def test_cuda_on_a_machine_without_it_is_an_error():
    with pytest.raises(CheckpointError, match="no CUDA device"):
        Device("cuda")


def test_results_that_numpy_cannot_hold_are_widened():
    device = Device("cpu", "bf16")
    (values,) = device.run(
        lambda: torch.ones(2, 2), lambda given: [given.to(torch.bfloat16)]
    ).wait()
    assert values.dtype == np.float32


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_cuda_streams_give_what_the_cpu_gives():
    gpu, cpu = Device("cuda", "fp32"), Device("cpu", "fp32")
    on_gpu, on_cpu = gpu.place(net()), cpu.place(net())
    batches = [torch.randn(4, 3, 8, 8) for _ in range(50)]
    pending = [
        gpu.run(
            lambda given=given: gpu.staged(given.numpy()).to("cuda", non_blocking=True),
            lambda pixels: [on_gpu(pixels)],
        )
        for given in batches
    ]
    for given, results in zip(batches, pending, strict=True):
        (expected,) = cpu.run(lambda given=given: given, lambda pixels: [on_cpu(pixels)]).wait()
        assert np.abs(results.wait()[0] - expected).max() < 1e-3
    assert gpu.free_bytes() > 0
    results, used = gpu.measured(lambda: gpu.run(lambda: torch.ones(9, device="cuda"), list))
    assert used > 0
    assert len(results.wait()) == 9
