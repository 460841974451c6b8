"""From a checked folder to a network of `transformers`, whole or not at all.

`transformers` fills missing tensors with noise and warns, and takes pickles if it finds them; both
are errors here, and so is a checkpoint of another kind.  Nothing is ever fetched: finding weights
is the business of `infra.checkpoints`.
"""

import threading
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from safetensors import SafetensorError
from transformers.utils import logging

from sightline.errors import CheckpointError

LOAD_ERRORS: Final = (
    OSError, ValueError, KeyError, RuntimeError, TypeError, AttributeError, SafetensorError,
)  # fmt: skip
"""What `from_pretrained` raises for a configuration or weights that it does not understand."""

ONE_AT_A_TIME: Final = threading.Lock()
"""`from_pretrained` changes how modules are made for the whole process: of two networks loaded at
once in two threads, one misses the tensors that it ties."""

SHOWN: Final = 8
"""Tensors named in a message; the rest is counted."""


def load_network(
    auto_class: Any,
    folder: Path,
    expected: str,
    *,
    model_types: Collection[str] = (),
    untrained: tuple[str, ...] = (),
) -> Any:
    """Return the network in `folder`, in eval mode, in fp32, on the CPU.

    Args:
        auto_class: class of `transformers` with `from_pretrained`.
        folder: from `infra.checkpoints.resolve`.
        expected: what the weights should be, for messages: "a Depth-Anything network".
        model_types: `model_type`s of the configuration that will do; none means any.
        untrained: prefixes of tensors that a checkpoint may lack because the result ignores them.

    Raises:
        CheckpointError: not `expected`, or tensors are missing or misshapen.
    """
    try:
        with ONE_AT_A_TIME, _quiet():
            loaded: Any = auto_class.from_pretrained(
                folder,
                local_files_only=True,
                use_safetensors=True,
                output_loading_info=True,
                ignore_mismatched_sizes=True,  # they are in the report, with their names
            )
    except LOAD_ERRORS as exc:
        msg = f"{folder}: expected {expected} that transformers can load: {exc}"
        raise CheckpointError(msg) from exc
    net, report = loaded  # the stubs know nothing of output_loading_info
    found = net.config.model_type
    if model_types and found not in model_types:
        msg = f"{folder}: expected {expected} of type {sorted(model_types)}, found {found!r}"
        raise CheckpointError(msg)
    _check_whole(folder, expected, report, untrained)
    return net.float().eval()


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep `transformers` from printing what becomes an error here; a worker has no terminal."""
    transformers_logging: Any = logging
    verbosity = transformers_logging.get_verbosity()
    transformers_logging.disable_progress_bar()
    transformers_logging.set_verbosity_error()
    try:
        yield
    finally:
        transformers_logging.set_verbosity(verbosity)


def _check_whole(folder: Path, expected: str, report: Any, untrained: tuple[str, ...]) -> None:
    missing = sorted(str(n) for n in report["missing_keys"] if not str(n).startswith(untrained))
    misshapen = sorted(str(key[0]) for key in report["mismatched_keys"])
    if missing or misshapen:
        msg = (
            f"{folder}: not the whole of {expected}: "
            f"{_named(missing)} missing, {_named(misshapen)} misshapen"
        )
        raise CheckpointError(msg)


def _named(tensors: list[str]) -> str:
    more = f" and {len(tensors) - SHOWN} more" if len(tensors) > SHOWN else ""
    return f"{len(tensors)} tensors {tensors[:SHOWN]}{more}"
