"""The one way a kernel is compiled: on first call, without the interpreter lock, kept on disk.

Numba's disk cache follows the file of the compiled function and nothing that it calls.  So a kernel
calls only what stands in its own file and the mixers of `hashing`, which change with no version.
"""

from collections.abc import Callable
from typing import Any, TypeVar

from numba import njit

Kernel = TypeVar("Kernel", bound=Callable[..., object])


def compiled(function: Kernel) -> Kernel:
    """Return `function` as machine code; where no cache can be written, compiled per process."""
    kernel: Any
    try:
        kernel = njit(cache=True, nogil=True)(function)
    except RuntimeError:  # neither the package's folder nor the user's cache folder is writable
        kernel = njit(nogil=True)(function)
    typed: Kernel = kernel
    return typed
