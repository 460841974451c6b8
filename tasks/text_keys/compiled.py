"""The ways a kernel is compiled: on first call, without the interpreter lock, kept on disk.

Numba's disk cache follows the file of the compiled function and nothing that it calls.  So a kernel
calls only what stands in its own file and the mixers of `hashing`, which change with no version.

Numba counts references to arrays wherever a function is called, by atomic instructions that take
longer than a word or a comparison: half of the time of kernels that consist of small functions.  A
kernel that allocates nothing needs no counts; `lean` compiles it without them, 2.3 times as fast.
An array is passed as seven words, so a function of many arrays is no small one.
"""

from collections.abc import Callable
from typing import Any, TypeVar

from numba import njit

Kernel = TypeVar("Kernel", bound=Callable[..., object])


def compiled(function: Kernel) -> Kernel:
    """Return `function` as machine code; where no cache can be written, compiled per process."""
    return _compiled(function, {})


def lean(function: Kernel) -> Kernel:
    """Return as `compiled` does a function that neither allocates arrays nor calls one that does.

    Numba refuses one that does.
    """
    return _compiled(function, {"_nrt": False})


def _compiled(function: Kernel, options: dict[str, Any]) -> Kernel:
    kernel: Any
    try:
        kernel = njit(cache=True, nogil=True, **options)(function)
    except RuntimeError:  # neither the package's folder nor the user's cache folder is writable
        kernel = njit(nogil=True, **options)(function)
    typed: Kernel = kernel
    return typed
