"""Where a network computes: device, precision, memory format, streams and free memory.

The code is one for CPU and CUDA.  On CUDA pixels travel through pinned memory on a stream of their
own, so that the copy and resize of one batch overlap the forward pass of the one before it, and
results travel back on a third, and all calls of `run` come from one thread.  On a CPU all of that
happens in place, in as many threads as there are lanes, each with its share of the cores: a pass
on one core waits for nobody, where the parallel loops of one pass wait for their slowest thread.
"""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any, Final

import numpy.typing as npt
import torch

from sightline.errors import CheckpointError

PRECISIONS: Final = ("auto", "fp32", "bf16")
AMPERE: Final = (8, 0)
"""Compute capability of the first GPUs that multiply bf16 in their matrix units."""

CAST_LAYERS: Final = (torch.nn.Linear, torch.nn.Conv2d, torch.nn.ConvTranspose2d)
"""Layers that autocast always computes in bf16."""

MOST_LANES: Final = 8
"""Passes at once on a CPU: more gain little and each holds the activations of a picture."""

Arrays = tuple[npt.NDArray[Any], ...]

CORES: Final = torch.get_num_threads()
"""What torch would use, asked before any thread is given less."""

_cuda: Any = torch.cuda  # its classes are untyped


def use_threads(threads: int) -> None:
    """Limit the cores torch computes on in this process; 0 leaves them as they are."""
    if threads > 0:
        torch.set_num_threads(threads)


def torch_device(name: str) -> torch.device:
    """Return the device that `name` means: auto, cpu, cuda or cuda:N.

    Raises:
        CheckpointError: an unknown name, or a device that this machine lacks.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError as exc:
        msg = f"device: expected auto, cpu, cuda or cuda:N, found {name!r}"
        raise CheckpointError(msg) from exc
    if device.type == "cuda" and not torch.cuda.is_available():
        msg = f"device {name!r}: this machine has no CUDA device that torch can use"
        raise CheckpointError(msg)
    return device


@dataclass(frozen=True, slots=True)
class Results:
    """Tensors of one pass on their way to the host; reading them waits for the device."""

    tensors: tuple[torch.Tensor, ...]
    arrived: Any = None

    def wait(self) -> Arrays:
        """Return the arrays, one per tensor; safe in any thread, and does not hold the GIL."""
        if self.arrived is not None:
            self.arrived.synchronize()
        return tuple(tensor.numpy() for tensor in self.tensors)


class Device:
    """A device and how it is used.

    Attributes:
        torch_device: of tensors.
        precision: fp32 or bf16, as resolved for the device.
        is_cuda: whether work is queued on streams.
        cores: that a CPU computes on.
        lanes: threads that may call `run` at once.
    """

    def __init__(
        self,
        name: str = "auto",
        precision: str = "auto",
        *,
        threads: int = 0,
        is_compiled: bool = False,
    ) -> None:
        """Choose.

        Args:
            name: auto, cpu, cuda or cuda:N.
            precision: auto is bf16 where the device multiplies it natively, else fp32.
            threads: cores that a CPU computes on; 0 leaves torch's default.
            is_compiled: pass networks through `torch.compile`, which needs a compiler and pays
                off after some hundred pictures per shape.

        Raises:
            CheckpointError: an unknown precision, or a device that this machine lacks.
        """
        if precision not in PRECISIONS:
            msg = f"precision: expected one of {PRECISIONS}, found {precision!r}"
            raise CheckpointError(msg)
        self.torch_device = torch_device(name)
        self.is_cuda = self.torch_device.type == "cuda"
        self.precision = _precision(self.torch_device) if precision == "auto" else precision
        self._is_compiled = is_compiled
        self.cores = threads or CORES
        self.lanes = 1 if self.is_cuda or is_compiled else min(self.cores, MOST_LANES)
        if self.is_cuda:
            torch.backends.cudnn.allow_tf32 = False  # fp32 means fp32: TF32 has 10 bits
        self._uploads: Any = _cuda.Stream(self.torch_device) if self.is_cuda else None
        self._returns: Any = _cuda.Stream(self.torch_device) if self.is_cuda else None

    @property
    def is_bf16_on_cpu(self) -> bool:
        """Tell whether attention is faster head by head (`tasks.vision.attention`)."""
        return self.precision == "bf16" and not self.is_cuda

    def place(self, net: Any, *, is_cast: bool = True) -> Any:
        """Return `net` on the device: channels last, eval mode, compiled if so chosen.

        Args:
            net: in fp32.
            is_cast: round the weights of linear and convolution layers to bf16 now, where that is
                the precision; autocast would do the same before every pass.
        """
        net = net.to(self.torch_device, memory_format=torch.channels_last).eval()
        if is_cast and self.precision == "bf16":
            _cast_weights(net)
        return torch.compile(net) if self._is_compiled else net

    def autocast(self) -> AbstractContextManager[object]:
        """Return the context in which the network computes in `precision`."""
        if self.precision == "bf16":
            return torch.autocast(self.torch_device.type, dtype=torch.bfloat16)
        return nullcontext()

    def staged(self, pixels: npt.NDArray[Any]) -> torch.Tensor:
        """Return `pixels` on the host, in pinned memory where that speeds up the copy."""
        tensor = torch.from_numpy(pixels)
        return tensor.pin_memory() if self.is_cuda else tensor

    def run(
        self,
        prepare: Callable[[], torch.Tensor],
        compute: Callable[[torch.Tensor], Sequence[torch.Tensor]],
    ) -> Results:
        """Return the tensors that `compute` makes of `prepare`'s, on their way to the host.

        Args:
            prepare: uploads and resizes, on a stream of its own.
            compute: the forward pass, run under `autocast`; gives tensors on the device.

        Raises:
            torch.OutOfMemoryError: the batch does not fit.
        """
        with torch.inference_mode():
            if not self.is_cuda:
                torch.set_num_threads(max(1, self.cores // self.lanes))  # of the calling thread
                with self.autocast():
                    computed = compute(prepare())
                return Results(tuple(_plain(tensor) for tensor in computed))
            return self._run_on_streams(prepare, compute)

    def _run_on_streams(
        self,
        prepare: Callable[[], torch.Tensor],
        compute: Callable[[torch.Tensor], Sequence[torch.Tensor]],
    ) -> Results:
        with torch.cuda.device(self.torch_device):
            with torch.cuda.stream(self._uploads):
                pixels = prepare()
            computing = torch.cuda.current_stream()
            computing.wait_stream(self._uploads)
            pixels.record_stream(computing)  # else the next upload may reuse its memory too early
            with self.autocast():
                computed = [_plain(tensor) for tensor in compute(pixels)]
            self._returns.wait_stream(computing)
            with torch.cuda.stream(self._returns):
                host = tuple(tensor.to("cpu", non_blocking=True) for tensor in computed)
                arrived = _cuda.Event()
                arrived.record()
            for tensor in computed:
                tensor.record_stream(self._returns)
            return Results(host, arrived)

    def free_bytes(self) -> int | None:
        """Return the memory a pass may take: what the device has and what torch keeps unused."""
        if not self.is_cuda:
            return None
        free, _ = torch.cuda.mem_get_info(self.torch_device)
        kept = torch.cuda.memory_reserved(self.torch_device)
        return free + kept - torch.cuda.memory_allocated(self.torch_device)

    def measured(self, work: Callable[[], Results]) -> tuple[Results, int]:
        """Return the results of `work` and the bytes it took at its peak; 0 on a CPU."""
        if not self.is_cuda:
            return work(), 0
        before = torch.cuda.memory_allocated(self.torch_device)
        torch.cuda.reset_peak_memory_stats(self.torch_device)
        results = work()
        return results, torch.cuda.max_memory_allocated(self.torch_device) - before

    def forget(self) -> None:
        """Give back the memory that torch keeps for itself, after a batch did not fit."""
        if self.is_cuda:
            torch.cuda.synchronize(self.torch_device)
            torch.cuda.empty_cache()


class InFullPrecision(torch.nn.Module):
    """A layer kept out of autocast: bf16 has 8 bits where a stored map has 12."""

    def __init__(self, layer: torch.nn.Module) -> None:
        super().__init__()
        self._layer = layer

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Return the layer's output in float32."""
        with torch.autocast(features.device.type, enabled=False):
            out: torch.Tensor = self._layer(features.float())
        return out


def _cast_weights(module: torch.nn.Module) -> None:
    for child in module.children():
        if isinstance(child, CAST_LAYERS):
            child.to(torch.bfloat16)
        elif not isinstance(child, InFullPrecision):
            _cast_weights(child)


def _plain(tensor: torch.Tensor) -> torch.Tensor:
    """Return what numpy can hold: it has no bf16."""
    return tensor.float() if tensor.dtype is torch.bfloat16 else tensor


def _precision(device: torch.device) -> str:
    if device.type == "cuda":
        return "bf16" if torch.cuda.get_device_capability(device) >= AMPERE else "fp32"
    known = torch.cpu.get_capabilities() if hasattr(torch.cpu, "get_capabilities") else {}
    return "bf16" if known.get("avx512_bf16") or known.get("amx_bf16") else "fp32"
